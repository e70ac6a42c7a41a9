"""What the wait for a release says, with a cluster that stands still."""

from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

import pytest

from rollout import watch
from rollout.kubectl import Cluster

pytestmark = pytest.mark.deploy

DENIED = "madang: The database refused: (1142, \"CREATE command denied to user 'board'\")"
READY = {"type": "Ready", "status": "True"}


def job(name: str) -> dict[str, Any]:
    return {"kind": "Job", "metadata": {"name": name, "uid": name}, "status": {}}


def pod(name: str, *conditions: dict[str, str]) -> dict[str, Any]:
    container = {"name": name, "ready": bool(conditions), "state": {"running": {}}}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"pod {name}",
            "labels": {"app.kubernetes.io/component": name},
            "ownerReferences": [{"uid": name, "kind": "Job"}],
        },
        "spec": {},
        "status": {"conditions": list(conditions), "containerStatuses": [container]},
    }


@dataclass(frozen=True)
class Still(Cluster):
    """A cluster that never changes, with the logs of its pods."""

    objects: tuple[dict[str, Any], ...] = ()
    logs: tuple[tuple[str, str], ...] = ()

    def all(self, kinds: str, *options: str) -> list[Any]:
        del options
        return [] if kinds == "events" else list(self.objects)

    def run(self, *arguments: str, given: str = "") -> CompletedProcess[str]:
        del given
        assert arguments[0] == "logs"
        lines = dict(self.logs)[arguments[1]].splitlines()
        last = lines[-1:] if "--tail=1" in arguments else lines
        return CompletedProcess(arguments, 0, "\n".join(last), "")


@pytest.fixture
def cluster() -> Still:
    """A schema that cannot be made, in vain again and again, and a pod that waits for it."""
    objects = (job("admin"), job("migrate"), pod("admin"), pod("migrate", READY))
    waits = "run `madang migrate`"
    return Still("boards", objects, (("migrate", f"{DENIED}\n{DENIED}"), ("admin", waits)))


def test_words_of_a_job_that_tries_in_vain_come_first_in_the_report(
    cluster: Still, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "UP_SECONDS", -1)

    with pytest.raises(watch.NotUpError) as told:
        watch.Watch(cluster, "board").until_up()

    assert str(told.value).splitlines()[:4] == [
        "not up after -1 s",
        "  last lines of migrate:",
        f"    {DENIED}",
        "  last lines of admin:",
    ]


def test_words_of_a_job_that_tries_in_vain_are_told_meanwhile(
    cluster: Still, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(watch, "UP_SECONDS", -1)
    monkeypatch.setattr(watch, "BUSY_SECONDS", 0)

    with pytest.raises(watch.NotUpError):
        watch.Watch(cluster, "board").until_up()

    said = capsys.readouterr().out
    assert "admin: admin not ready; migrate: running" in said
    assert f"migrate: still running: {DENIED}\n" in said
