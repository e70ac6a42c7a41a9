"""How far a rollout is and what is wrong with it, read out of what the cluster says."""

from typing import Any

import pytest

from rollout.workloads import Workloads, state

pytestmark = pytest.mark.deploy


def deployment(*, generation: int = 1, **counts: int) -> dict[str, Any]:
    status = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2} | counts
    return {
        "kind": "Deployment",
        "metadata": {"name": "madang-web", "uid": "d", "generation": generation},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 1, **status},
    }


def job(condition: str = "", **status: int) -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    return {
        "kind": "Job",
        "metadata": {"name": "madang-migrate", "uid": "j", "generation": 1},
        "spec": {},
        "status": {"conditions": conditions, **status},
    }


def pod(
    *containers: dict[str, Any], owner: str = "j", sidecar: str = "", **status: Any
) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": "pod",
            "uid": "p",
            "labels": {"app.kubernetes.io/component": "migrate"},
            "ownerReferences": [{"uid": owner}],
        },
        "spec": {"initContainers": [{"name": sidecar, "restartPolicy": "Always"}]},
        "status": {"phase": "Pending", "containerStatuses": containers, **status},
    }


def waiting(reason: str, message: str = "", **others: Any) -> dict[str, Any]:
    return {"name": "api", "state": {"waiting": {"reason": reason, "message": message}}, **others}


def warning(of: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "involvedObject": {"uid": of},
        "type": "Warning",
        "reason": reason,
        "message": message,
    }


def troubles(*objects: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> list[str]:
    return [str(one) for one in Workloads(objects, events).troubles()]


@pytest.mark.parametrize(
    ("one", "done"),
    [
        (deployment(), True),
        (deployment(generation=2), False),
        (deployment(replicas=3), False),
        (deployment(updatedReplicas=1), False),
        (deployment(availableReplicas=1), False),
        (job("Complete"), True),
        (job(), False),
        (job("Failed"), False),
    ],
    ids=[
        "all up",
        "not seen yet",
        "an old one left",
        "not all new",
        "not all available",
        "complete",
        "running",
        "given up",
    ],
)
def test_rollout_is_done_when_all_is_up_in_the_new_version(
    one: dict[str, Any], *, done: bool
) -> None:
    assert Workloads([one], []).done is done
    assert Workloads([one, deployment(updatedReplicas=0)], []).done is False


def test_nothing_at_all_is_not_done() -> None:
    assert Workloads([], []).done is False


def test_line_says_how_far_it_is_and_what_it_waits_for() -> None:
    now = Workloads([deployment(), job(), pod(waiting("ContainerCreating"))], [])

    assert now.line() == "1 of 2 are up; migrate: starting"


def test_job_that_runs_and_does_not_end_is_waited_for() -> None:
    ready = [{"type": "Ready", "status": "True"}]
    container = {"name": "migrate", "ready": True, "state": {"running": {}}}
    running, other = (pod(container, owner=owner, conditions=ready) for owner in ("j", "d"))

    now = Workloads([deployment(), job(active=1), running], [])

    assert now.line() == "1 of 2 are up; migrate: running"
    assert now.busy == [running]
    assert Workloads([job("Complete"), running], []).unready == []
    assert Workloads([deployment(), other], []).unready == []


def test_pods_that_nobody_waits_for_are_left_out() -> None:
    of_a_schedule = pod(waiting("ErrImagePull"), owner="a schedule's job")
    tried_before = pod(owner="j", phase="Failed")

    assert Workloads([job("Complete"), of_a_schedule, tried_before], []).unready == []


def test_jobs_of_a_schedule_are_not_waited_for() -> None:
    failed = job("Failed")
    failed["metadata"] |= {"uid": "scheduled", "ownerReferences": [{"kind": "CronJob", "uid": "c"}]}
    now = Workloads.of([deployment(), failed], [])

    assert now.done
    assert now.failed_jobs == []


def test_pod_without_a_node_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}
    alone = pod(conditions=[condition])

    assert state(alone) == "no node yet"
    assert troubles(job(active=1), alone) == ["pod: Unschedulable: Insufficient cpu"]


def test_first_container_is_told_while_it_runs() -> None:
    first = {"name": "wait-for-schema", "ready": False, "started": True, "state": {"running": {}}}

    assert state(pod(waiting("PodInitializing"), initContainerStatuses=[first])) == (
        "wait-for-schema first"
    )


def test_sidecar_that_runs_is_not_waited_for() -> None:
    ship = {"name": "ship", "ready": False, "started": True, "state": {"running": {}}}
    late = {"name": "api", "ready": False, "state": {"running": {}}}

    assert state(pod(late, sidecar="ship", initContainerStatuses=[ship])) == "api not ready"


@pytest.mark.parametrize("reason", ["ErrImagePull", "CreateContainerConfigError"])
def test_container_that_cannot_start_says_why_in_its_own_words(reason: str) -> None:
    (told,) = Workloads([job(active=1), pod(waiting(reason, "no such thing"))], []).troubles()

    assert str(told) == f"pod: {reason}: no such thing"
    assert told.patience_seconds == 60


def test_crash_says_how_it_ended() -> None:
    crashed = waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 3}})
    killed = waiting(
        "CrashLoopBackOff", lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    )

    assert troubles(job(active=1), pod(crashed)) == ["pod: CrashLoopBackOff: api ended with 3"]
    assert troubles(job(active=1), pod(killed)) == [
        "pod: OOMKilled: api needs more memory than its limit"
    ]


def test_pod_of_a_job_that_failed_says_how() -> None:
    ended = {"name": "migrate", "state": {"terminated": {"exitCode": 2}}}

    assert troubles(job(active=1), pod(ended, phase="Failed")) == [
        "pod: Failed: migrate ended with 2"
    ]


def test_pod_that_may_not_be_made_is_told_by_its_owner() -> None:
    refused = warning("j", "FailedCreate", 'pods "madang-migrate" is forbidden: quota')

    assert troubles(job(), events=(refused,)) == [
        'madang-migrate: FailedCreate: pods "madang-migrate" is forbidden: quota'
    ]
    assert troubles(job(active=1), events=(refused,)) == []


def test_volume_that_cannot_be_made_is_told() -> None:
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-madang-mariadb-0", "uid": "c"},
        "status": {"phase": "Pending"},
    }
    refused = warning("c", "ProvisioningFailed", "disk quota")

    assert troubles(claim, events=(refused,)) == [
        "data-madang-mariadb-0: ProvisioningFailed: disk quota"
    ]


MISSING = 'MountVolume.SetUp failed for volume "kafka-ca" : secret "board-kafka-ca" not found'


def test_volume_that_cannot_be_mounted_is_told_until_it_is() -> None:
    starting = pod(waiting("ContainerCreating"))
    mounted = [{"type": "PodReadyToStartContainers", "status": "True"}]
    pulling = pod(waiting("ContainerCreating"), conditions=mounted)
    events = (warning("p", "FailedMount", "timed out"), warning("p", "FailedMount", MISSING))

    (told,) = Workloads([job(active=1), starting], events).troubles()

    assert str(told) == f"pod: FailedMount: {MISSING}"
    assert told.patience_seconds == 480
    assert troubles(job(active=1), pulling, events=events) == []


def test_job_that_gave_up_is_named() -> None:
    assert Workloads([job("Failed")], []).failed_jobs == ["madang-migrate"]


@pytest.mark.parametrize(
    ("counts", "done"),
    [
        ({}, True),
        ({"numberAvailable": 2}, False),
        ({"updatedNumberScheduled": 1}, False),
        ({"observedGeneration": 0}, False),
    ],
)
def test_agent_is_up_when_it_is_ready_on_every_node(counts: dict[str, int], *, done: bool) -> None:
    scheduled = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
    agent = {
        "kind": "DaemonSet",
        "metadata": {"name": "observability-agent", "uid": "a", "generation": 1},
        "spec": {},
        "status": {"observedGeneration": 1, **scheduled, **counts},
    }

    assert Workloads([agent], ()).done is done
