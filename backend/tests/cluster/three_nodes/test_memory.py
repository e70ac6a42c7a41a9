"""What the containers use under load, against what the chart requests for them."""

import pytest

from tests.services.kubernetes.keepsake import leave
from tests.services.kubernetes.memory import memory, running
from tests.services.kubernetes.pod_scripts import Client
from tests.services.kubernetes.release import Release
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

LOAD_SECONDS = 15
MEASURED_SECONDS = 120
ABOVE_REQUEST = 1.3
"""How far a container may go above its request, which is what nodes are filled by."""
BELOW_LIMIT = 0.9


def test_containers_keep_to_requests_and_limits_under_load(
    board: Release, stranger: Client
) -> None:
    url = f"http://{board.name}-web.{board.namespace}.svc"
    answers = stranger.run("load", url, leave(board).session, str(LOAD_SECONDS))
    assert set(answers) == {"200", "201"}, answers

    containers = {
        (pod["metadata"]["labels"]["app.kubernetes.io/component"], container["name"])
        for pod in board.pods()
        for container in running(pod)
    }

    def all_measured() -> object:
        found = memory(board.cluster, board.namespace, board.name)
        return {(one.component, one.container) for one in found} == containers and found

    wait_until(all_measured, MEASURED_SECONDS, "a measurement of each container")
    found = memory(board.cluster, board.namespace, board.name)
    beyond = [
        one
        for one in found
        if one.working_set > min(one.request * ABOVE_REQUEST, one.limit * BELOW_LIMIT)
    ]
    assert not beyond, beyond
