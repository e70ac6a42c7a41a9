"""A shell on the nodes of a cluster, for what kubectl cannot do: kill -9 in place.

A container's first process hears no SIGKILL from inside; from the node it does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.errors import ServiceError
from tests.services.kubernetes.cluster import Cluster

_MANIFEST = Path(__file__).with_name("node_shell.yaml")

# Every process of a container is in a control group that ends with its id.
_KILL = """\
set -eu
killed=0
for process in $(grep -l "$1" /proc/[0-9]*/cgroup 2>/dev/null); do
  process=${process#/proc/}
  # One that a probe had started may have ended since.
  if kill -9 "${process%/cgroup}" 2>/dev/null; then killed=$((killed + 1)); fi
done
[ "$killed" -gt 0 ] || { echo "no process of $1 was killed" >&2; exit 1; }
"""


@dataclass(frozen=True, slots=True)
class NodeShell:
    """A running one."""

    cluster: Cluster
    namespace: str

    def run(self, node: str, script: str, *arguments: str) -> str:
        """What a script prints on a node, run by `sh` as root.

        Raises:
            ServiceError: it failed; with its words.
        """
        selected = ("--selector=app=node-shell", f"--field-selector=spec.nodeName={node}")
        pods = self.cluster.get("pods", f"--namespace={self.namespace}", *selected)
        if not pods:
            raise ServiceError(f"there is no shell on the node {node}")
        name = pods[0]["metadata"]["name"]
        words = (f"--namespace={self.namespace}", name, "--", "sh", "-c", script, "sh")
        return self.cluster.kubectl("exec", *words, *arguments)

    def kill(self, pod: Mapping[str, Any], container: str) -> None:
        """SIGKILL to all processes of a container, which stays in its pod and starts again.

        Args:
            pod: as `Cluster.get` found it.
            container: also one of those that run beside the others from the start.

        Raises:
            ServiceError: it does not run.
        """
        status = pod["status"]
        states = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
        running = [state for state in states if "running" in state["state"]]
        ids = [state["containerID"] for state in running if state["name"] == container]
        if not ids:
            raise ServiceError(f"{pod['metadata']['name']} has no running container {container}")
        self.run(pod["spec"]["nodeName"], _KILL, ids[0].rpartition("/")[2])


@contextmanager
def node_shell(cluster: Cluster) -> Iterator[NodeShell]:
    """A shell on each node, in a privileged namespace of its own; gone after the block."""
    with cluster.namespace(enforce="privileged") as name:
        where = f"--namespace={name}"
        cluster.kubectl("apply", where, "--filename", _MANIFEST)
        cluster.kubectl("rollout", "status", "daemonset/node-shell", where, "--timeout=120s")
        yield NodeShell(cluster, name)
