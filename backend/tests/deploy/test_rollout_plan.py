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
    spec = {"replicas": replicas, "template": template}
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
    ("live", "refuses", "replaced"),
    [
        (OLD, False, {"api"}),
        (OLD[:1], False, {"api"}),
        ((), False, set()),
        (OLD, True, set()),
    ],
    ids=["changed", "only one there", "none there", "refused"],
)
def test_pods_are_replaced_of_deployments_whose_template_changes(
    live: tuple[dict[str, Any], ...], replaced: set[str], *, refuses: bool
) -> None:
    cluster = Answering("boards", live, refuses)

    assert plan.replaced(cluster, NEW) == replaced
    assert plan.replaced(cluster, []) == set()


def test_plan_knows_what_is_there_where_that_is_one_object() -> None:
    told = plan.changes(Answering("boards", OLD[:1]), OLD, NEW[::2], namespace=True)

    assert list(told) == [
        "change  deployment/api",
        "make    deployment/live",
        "remove  deployment/web",
    ]
