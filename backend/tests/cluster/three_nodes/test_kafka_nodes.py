"""Three Kafka nodes: each has every call, and two of them are enough to go on."""

import pytest

from tests.services.kubernetes.keepsake import assert_there, leave
from tests.services.kubernetes.pod_scripts import wait_for_kafka
from tests.services.kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


def test_three_nodes_hold_each_partition(board: Release) -> None:
    wait_for_kafka(board, 0, 1, 2)


def test_two_nodes_go_on_and_the_third_catches_up(board: Release) -> None:
    scale = ("scale", f"statefulset/{board.name}-kafka", f"--namespace={board.namespace}")
    board.cluster.kubectl(*scale, "--replicas=2")
    try:
        wait_for_kafka(board, 0, 1)
        meanwhile = leave(board)
    finally:
        board.cluster.kubectl(*scale, "--replicas=3")
    wait_for_kafka(board, 0, 1, 2)
    assert_there(board, meanwhile)
