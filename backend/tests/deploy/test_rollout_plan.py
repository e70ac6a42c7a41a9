"""What would change, from what a cluster has and what it answers to a dry run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

import pytest

from rollout import plan
from rollout.kubectl import Cluster

pytestmark = pytest.mark.deploy


def deployment(name: str, image: str, replicas: int = 1) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": image}]}}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}
    spec = {"replicas": replicas, "template": template, "strategy": strategy}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def written(objects: Sequence[dict[str, Any]]) -> str:
    """As kubectl writes them."""
    if not objects:
        return ""
    return json.dumps({"items": objects} if len(objects) > 1 else objects[0])


@dataclass(frozen=True)
class Answering(Cluster):
    """A cluster that has some objects, and takes what it is given as it is, or refuses it."""

    live: tuple[dict[str, Any], ...] = ()
    refuses: bool = False

    def run(self, *arguments: str, given: str = "") -> CompletedProcess[str]:
        if arguments[0] == "get":
            return CompletedProcess(arguments, 0, written(self.live), "")
        assert "--dry-run=server" in arguments
        answer = "" if self.refuses else written(json.loads(given)["items"])
        return CompletedProcess(arguments, int(self.refuses), answer, "")


OLD = (deployment("api", "1"), deployment("web", "1"))
NEW = (deployment("api", "2"), deployment("web", "1", replicas=2), deployment("live", "2"))


@pytest.mark.parametrize(
    ("live", "refuses", "surges"),
    [
        (OLD, False, {"api": 1}),
        (OLD[:1], False, {"api": 1}),
        ((), False, {}),
        (OLD, True, {}),
    ],
    ids=["changed", "only one there", "none there", "refused"],
)
def test_pods_come_beside_those_of_deployments_whose_template_changes(
    live: tuple[dict[str, Any], ...], surges: dict[str, int], *, refuses: bool
) -> None:
    cluster = Answering("boards", live, refuses)

    assert plan.surges(cluster, NEW) == surges
    assert plan.surges(cluster, []) == {}


@pytest.mark.parametrize(
    ("strategy", "surge"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, 2),
        ({"type": "Recreate"}, 0),
    ],
)
def test_strategy_says_how_many_come_beside(strategy: dict[str, Any], surge: int) -> None:
    changed = deployment("api", "2", replicas=5)
    changed["spec"]["strategy"] = strategy

    assert plan.surges(Answering("boards", OLD), [changed]) == {"api": surge}


def test_plan_knows_what_is_there_where_that_is_one_object() -> None:
    told = plan.changes(Answering("boards", OLD[:1]), OLD, NEW[::2], namespace=True)

    assert list(told) == [
        "change  deployment/api",
        "make    deployment/live",
        "remove  deployment/web",
    ]
