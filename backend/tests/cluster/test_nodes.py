"""What the tests of a cluster rest on: a container killed from its node starts again in its pod."""

import pytest

from tests.services.errors import ServiceError
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.node_shell import NodeShell
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: victim}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 999, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: shell
      image: docker.io/library/debian:bookworm-slim
      command: [sh, -c, sleep infinity & wait]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


@pytest.fixture
def victim(cluster: Cluster, namespace: str) -> str:
    """The pod's name."""
    cluster.apply(POD, f"--namespace={namespace}")
    cluster.wait("condition=Ready", "pod/victim", f"--namespace={namespace}")
    return "victim"


def test_killed_container_starts_again_in_its_pod(
    cluster: Cluster, nodes: NodeShell, namespace: str, victim: str
) -> None:
    where = (f"pod/{victim}", f"--namespace={namespace}")
    before = cluster.get(*where)

    nodes.kill(before, "shell")

    def after() -> object:
        state = cluster.get(*where)["status"]["containerStatuses"][0]
        return state if state["restartCount"] and "running" in state["state"] else None

    wait_until(after, 60, "the container to start again")
    last = cluster.get(*where)
    assert last["metadata"]["uid"] == before["metadata"]["uid"]
    ended = last["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert ended["exitCode"] == 137

    with pytest.raises(ServiceError, match="victim has no running container other"):
        nodes.kill(last, "other")


def test_namespace_refuses_what_is_not_restricted(cluster: Cluster, namespace: str) -> None:
    with pytest.raises(ServiceError, match="violates PodSecurity"):
        cluster.apply(POD.replace("victim", "other").replace("drop: [ALL]", ""), "-n", namespace)
