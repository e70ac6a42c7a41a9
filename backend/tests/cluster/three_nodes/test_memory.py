"""What the containers use under load, against what the chart requests for them."""

import pytest

from tests.cluster.load import load
from tests.services.kubernetes.memory import measured
from tests.services.kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

ANSWERS = 500
ABOVE_REQUEST = 1.3
"""How far a container may go above its request, by which nodes are filled."""
BELOW_LIMIT = 0.9


def test_containers_keep_to_requests_and_limits_under_load(board: Release) -> None:
    with load(board) as clients:
        clients.wait_for_answers(ANSWERS)
        found = measured(board)
    assert not clients.failed
    beyond = [
        one
        for one in found
        if one.working_set > min(one.request * ABOVE_REQUEST, one.limit * BELOW_LIMIT)
    ]
    assert not beyond, beyond
