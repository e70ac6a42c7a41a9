"""Jobs that have ended run again with every installation, and the plan says so."""

import json
from dataclasses import dataclass, field
from subprocess import CompletedProcess
from typing import Any

import pytest

from rollout import plan, rights
from rollout.jobs import remove_ended
from rollout.kubectl import Cluster
from tests.deploy.cases import rendered

pytestmark = pytest.mark.deploy


def job(name: str, condition: str = "", **metadata: Any) -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    return {
        "kind": "Job",
        "metadata": {"name": name, **metadata},
        "status": {"conditions": conditions},
    }


@dataclass(frozen=True)
class Has(Cluster):
    """A cluster with these objects, which writes down what it deletes."""

    objects: tuple[dict[str, Any], ...] = ()
    deleted: list[str] = field(default_factory=list)

    def run(self, *arguments: str, given: str = "") -> CompletedProcess[str]:
        del given
        if arguments[0] == "delete":
            self.deleted.extend(one for one in arguments[1:] if not one.startswith("-"))
        return CompletedProcess(arguments, 0, json.dumps({"items": self.objects}), "")


JOBS = (
    job("migrate", "Complete"),
    job("topics", "Failed"),
    job("admin"),
    job("prune-1", "Complete", ownerReferences=[{"kind": "CronJob"}]),
)


def test_jobs_that_ended_are_removed_and_those_that_run_or_were_scheduled_stay() -> None:
    cluster = Has("boards", JOBS)

    remove_ended(cluster, "board")

    assert cluster.deleted == ["jobs", "migrate", "topics"]


def test_nothing_is_deleted_where_no_job_has_ended() -> None:
    cluster = Has("boards", (job("admin"),))

    remove_ended(cluster, "board")

    assert cluster.deleted == []


def test_plan_says_which_jobs_run_again() -> None:
    told = plan.changes(Has("boards", JOBS[::2]), [], JOBS[::2], namespace=True)

    assert list(told) == ["repeat  job/migrate", "keep    job/admin"]


def test_removing_jobs_is_among_the_rights_where_there_are_some() -> None:
    def wanted(*kinds: str) -> set[str]:
        objects = [one for one in rendered("profile small").objects if one["kind"] in kinds]
        return {str(right) for right in rights.wanted(objects, namespace=True)}

    assert "delete jobs.batch" in wanted("Job", "Service")
    assert "delete jobs.batch" not in wanted("Service")
