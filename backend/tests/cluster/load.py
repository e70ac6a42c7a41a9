"""Clients in a pod of the cluster that keep asking a board, and the ledger of their answers."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.cluster.clients import Asked
from tests.services.kubernetes.release import Release
from tests.services.waiting import wait_until

_CLIENTS = Path(__file__).with_name("clients.py")
_NAME = "clients"
_STARTED_SECONDS = 120
_ANSWERED_SECONDS = 180
_ENDED_SECONDS = 110  # above what a client waits for an answer

_NGINX_ALONE = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""Answers that nginx makes when it gets none from the API, so no call."""


@dataclass(slots=True)
class Load:
    """What was asked: so far within the block of `load`, all of it after its end."""

    release: Release
    user: str = ""
    asked: list[Asked] = field(default_factory=list)

    @property
    def answered(self) -> list[UUID]:
        """The identifiers of the calls that were answered."""
        return [UUID(one.call) for one in self.asked if one.call]

    @property
    def unrecorded(self) -> list[Asked]:
        """What the API answered without saying which call that was."""
        return [one for one in self.asked if one.status and not one.call and not _is_of_nginx(one)]

    @property
    def failed(self) -> list[Asked]:
        """What got no answer, or an error."""
        return [one for one in self.asked if one.status not in (HTTPStatus.OK, HTTPStatus.CREATED)]

    def statuses(self) -> Counter[int]:
        """How many answers there were of each status; 0 for none."""
        return Counter(one.status for one in self.asked)

    def wait_for_answers(self, more: int, seconds: float = _ANSWERED_SECONDS) -> None:
        """Wait until this many more have been answered."""
        wanted = self._read() + more
        wait_until(lambda: self._read() >= wanted, seconds, f"{more} more answers")

    def _read(self) -> int:
        """Read the ledger; returns how many were answered."""
        first, *lines = self._log().splitlines() or ["{}"]
        self.user = json.loads(first).get("user", "")
        self.asked = [Asked(**json.loads(line)) for line in lines if '"at"' in line]
        return sum(one.status > 0 for one in self.asked)

    def _finish(self) -> None:
        """Let the clients end, and read all that they noted."""
        self._kubectl("exec", _NAME, "--", "sh", "-c", "kill -TERM 1")
        ended = ("--for=jsonpath={.status.phase}=Succeeded", f"--timeout={_ENDED_SECONDS}s")
        self._kubectl("wait", *ended, f"pod/{_NAME}")
        self._read()
        last = json.loads(self._log().splitlines()[-1])
        assert len(self.asked) == last["asked"], "the pod's log is not whole"

    def _log(self) -> str:
        return self._kubectl("logs", _NAME)

    def _kubectl(self, *words: str) -> str:
        return self.release.cluster.kubectl(f"--namespace={self.release.namespace}", *words)


@contextmanager
def load(release: Release) -> Iterator[Load]:
    """A steady load on the board from inside its cluster, through nginx, for the block."""
    cluster, where = release.cluster, f"--namespace={release.namespace}"
    running = Load(release)
    cluster.kubectl("create", where, "configmap", _NAME, f"--from-file={_CLIENTS}")
    try:
        cluster.apply(json.dumps(_pod(release)), where)
        cluster.wait("condition=Ready", f"pod/{_NAME}", where, seconds=_STARTED_SECONDS)
        running.wait_for_answers(50)
        yield running
        running._finish()
    finally:
        made = (f"pod/{_NAME}", f"configmap/{_NAME}")
        cluster.kubectl("delete", where, *made, "--now", "--ignore-not-found")


def _pod(release: Release) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _NAME},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": _NAME,
                    "image": release.images.reference("madang"),
                    "command": ["python3", "-u", "/clients/clients.py"],
                    "args": [f"http://{release.name}-web"],
                    "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                    "securityContext": {
                        "runAsNonRoot": True,
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": _NAME, "mountPath": "/clients"}],
                }
            ],
            "volumes": [{"name": _NAME, "configMap": {"name": _NAME}}],
        },
    }


def _is_of_nginx(one: Asked) -> bool:
    return one.status in _NGINX_ALONE
