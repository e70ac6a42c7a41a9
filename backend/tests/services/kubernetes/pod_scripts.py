"""The scripts of in_pods/, run where they are meant to: in a pod, whose JSON they bring back."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.release import Release
from tests.services.waiting import or_none, wait_until

_SCRIPTS = Path(__file__).with_name("in_pods")
_PYTHON = "/opt/madang/bin/python"
_START_SECONDS = 120
_KAFKA_SECONDS = 180

_CLIENT = """\
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: client
      command: [sleep, infinity]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


@dataclass(frozen=True, slots=True)
class Client:
    """A container with Madang's image that runs."""

    cluster: Cluster
    namespace: str
    pod: str
    container: str

    def run(self, script: str, *arguments: str, seconds: float = 120) -> Any:
        """What in_pods/SCRIPT.py says.

        Raises:
            ServiceError: it failed; with its words.
        """
        where = (f"--namespace={self.namespace}", self.pod, f"--container={self.container}")
        words = ("exec", "--stdin", *where, "--", _PYTHON, "-", *arguments)
        return json.loads(self.cluster.kubectl(*words, given=_text(script), seconds=seconds))


@contextmanager
def client_pod(cluster: Cluster, images: Images, namespace: str) -> Iterator[Client]:
    """A pod of nobody's in a namespace; gone after the block."""
    manifest = yaml.safe_load(_CLIENT)
    manifest["metadata"]["name"] = name = f"client-{uuid4().hex[:8]}"
    manifest["spec"]["containers"][0]["image"] = images.reference("madang")
    cluster.apply(yaml.safe_dump(manifest), f"--namespace={namespace}")
    try:
        seconds = _START_SECONDS
        cluster.wait("condition=Ready", f"pod/{name}", f"--namespace={namespace}", seconds=seconds)
        yield Client(cluster, namespace, name, "client")
    finally:
        cluster.kubectl("delete", "pod", name, f"--namespace={namespace}", "--wait")


def start_beside(
    cluster: Cluster, images: Images, pod: Mapping[str, Any], script: str, *arguments: str
) -> Client:
    """Run in_pods/SCRIPT.py once in the network of a running pod, as a container of its own.

    What it says is there with `said`. The container stays, ended, as long as the pod.
    """
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    container = f"{script}-{uuid4().hex[:8]}"
    options = (
        f"--image={images.reference('madang')}",
        "--image-pull-policy=IfNotPresent",
        "--quiet",
    )
    where = (f"--namespace={namespace}", f"pod/{name}", f"--container={container}")
    words = (*where, *options, "--profile=restricted", "--", _PYTHON, "-c", _text(script))
    cluster.kubectl("debug", *words, *arguments)
    return Client(cluster, namespace, name, container)


def said(client: Client) -> Any:
    """What a script that `start_beside` began says, as soon as it has ended.

    Raises:
        ServiceError: it does not end.
        AssertionError: it failed; with its words.
    """
    where = (f"--namespace={client.namespace}", f"pod/{client.pod}")

    def ended() -> Any:
        states = client.cluster.get(*where)["status"].get("ephemeralContainerStatuses", ())
        own = [state["state"] for state in states if state["name"] == client.container]
        return own[0].get("terminated") if own else None

    code = wait_until(ended, _START_SECONDS, f"{client.container} in {client.pod}")["exitCode"]
    words = client.cluster.kubectl("logs", *where, f"--container={client.container}")
    assert code == 0, words
    return json.loads(words)


def wait_for_kafka(board: Release, *nodes: int) -> None:
    """Until Kafka's nodes are these, each in sync in each partition, as the recorder sees them.

    Raises:
        ServiceError: they are not within the time.
    """

    def there() -> bool:
        name = board.pods("record")[0]["metadata"]["name"]
        found = Client(board.cluster, board.namespace, name, "record").run("partitions")
        in_sync = found["in_sync"]
        return found["nodes"] == [*nodes] and all(copies == [*nodes] for copies in in_sync)

    wait_until(or_none(there), _KAFKA_SECONDS, f"Kafka's nodes {nodes} to be in sync")


def _text(script: str) -> str:
    return (_SCRIPTS / f"{script}.py").read_text()
