"""A board under a steady load: what a new version, kill -9 and lost pods do to requests and calls.

Every call that was answered must be in history, once, whatever happened. A rolling update must
not even let a request fail. The cases follow one another on one release.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from tests.cluster.call_log import ask_mariadb, assert_whole, unanswered
from tests.cluster.clients import KEPT, Asked
from tests.cluster.load import Load, load
from tests.services.kubernetes.cluster import Object
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.node_shell import NodeShell
from tests.services.kubernetes.release import COMPONENT, Release
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

OWN = ("web", "api", "live", "record")
CONTAINERS = (
    *(("api", "api"), ("api", "ship"), ("web", "web"), ("live", "live"), ("record", "record")),
    *(("redis", "redis"), ("mariadb", "mariadb"), ("kafka", "kafka")),
)
WITH_SPOOLS = ("--set=spool.persistence.enabled=true", "--set=api.replicas=2")
READY_SECONDS = 300.0


def test_upgrade_drops_no_request_while_the_version_before_serves(board: Release) -> None:
    before = {pod["metadata"]["name"] for pod in board.pods("api")}

    with load(board) as clients:
        with replacing_all(board):
            board.install(*board.images.next.options)
        clients.wait_for_answers(100)

    assert_nothing_dropped(board, clients)
    assert_runs(board, board.images.next)
    posted = posted_until(migration_ended(board), clients)
    assert len({int(one.at) for one in posted}) > 2, "posts stood still during the migration"
    assert instances(board, [one.call for one in posted]) <= before


def test_rollback_drops_no_request_on_the_newer_schema(board: Release) -> None:
    with load(board) as clients:
        with replacing_all(board):
            board.roll_back()
        clients.wait_for_answers(100)

    assert_nothing_dropped(board, clients)
    assert_runs(board, board.images)
    assert ask_mariadb(board, "SELECT version_num FROM alembic_version") == ["next"]


def test_every_container_killed_in_place_loses_no_call(board: Release, nodes: NodeShell) -> None:
    assert set(CONTAINERS) == running(board)
    with load(board) as clients:
        for component, container in CONTAINERS:
            kill_and_wait(board, nodes, component, container)
        clients.wait_for_answers(100)

    assert_no_surprise(clients)
    assert_whole(board, clients)


def test_every_pod_but_the_api_s_deleted_without_grace_loses_no_call(board: Release) -> None:
    others = {component for component, _ in CONTAINERS} - {"api"}
    with load(board) as clients:
        for component in sorted(others):
            delete_and_wait(board, component)
        clients.wait_for_answers(100)

    assert_no_surprise(clients)
    assert_whole(board, clients)


def test_api_pods_deleted_without_grace_lose_no_call_of_a_kept_spool(board: Release) -> None:
    board.install(*WITH_SPOOLS)
    kafka = ("statefulset/board-kafka", f"--namespace={board.namespace}")

    with load(board) as clients:
        board.cluster.kubectl("scale", *kafka, "--replicas=0")
        wait_until(lambda: not board.pods("kafka"), READY_SECONDS, "the end of Kafka")
        clients.wait_for_answers(100)
        delete_and_wait(board, "api")
        clients.wait_for_answers(100)
        board.cluster.kubectl("scale", *kafka, "--replicas=1")
        wait_until(
            lambda: any(map(is_ready, living(board, "kafka"))), READY_SECONDS, "Kafka to be ready"
        )

    assert_no_surprise(clients)
    assert_whole(board, clients)


@contextmanager
def replacing_all(board: Release) -> Iterator[None]:
    """Wait at the end until the last of Madang's own pods of before is gone, too.

    Helm waits for the new ones alone; it is while the old ones end that requests could be dropped.
    """

    def identities() -> set[str]:
        return {pod["metadata"]["uid"] for part in OWN for pod in board.pods(part)}

    before = identities()
    yield
    wait_until(lambda: not before & identities(), READY_SECONDS, "the end of the pods of before")


def running(board: Release) -> set[tuple[str, str]]:
    """Component and name of each container that runs, sidecars too."""
    return {
        (pod["metadata"]["labels"][COMPONENT], one["name"])
        for pod in board.pods()
        for kind in ("initContainerStatuses", "containerStatuses")
        for one in pod["status"].get(kind, ())
        if "running" in one["state"]
    }


def assert_runs(board: Release, images: Images) -> None:
    """All of Madang's own pods run these images."""
    for component in OWN:
        wanted = images.reference("madang-web" if component == "web" else "madang")
        pods = living(board, component)
        assert pods, component
        for pod in pods:
            assert pod["spec"]["containers"][0]["image"] == wanted, component


def assert_nothing_dropped(board: Release, clients: Load) -> None:
    """Every request was answered and is in history, and no client repeated one that was handled.

    Of the connections that are kept, each sees the one pod of nginx end that it leads to.
    """
    assert clients.failed == []
    assert sum(one.repeated for one in clients.asked) <= KEPT
    assert_whole(board, clients)
    # Only the registration, whose answer no client notes.
    assert len(unanswered(board, clients)) <= 1


def assert_no_surprise(clients: Load) -> None:
    """Where parts are away, no answer and the words of that are to be expected; nothing else."""
    assert set(clients.statuses()) <= {200, 201, 0, 502, 503, 504}


def migration_ended(board: Release) -> float:
    """When the next version's migration was done, in seconds since 1970."""
    image = board.images.next.reference("madang")
    pods = [p for p in board.pods("migrate") if p["spec"]["containers"][0]["image"] == image]
    state = pods[0]["status"]["containerStatuses"][0]["state"]
    return datetime.fromisoformat(state["terminated"]["finishedAt"]).timestamp()


def posted_until(end: float, clients: Load) -> list[Asked]:
    """The messages that were posted while the schema stood half way to the next."""
    return [
        one
        for one in clients.asked
        if one.status == 201 and end - 5 < one.at and one.at + one.seconds < end - 1
    ]


def instances(board: Release, calls: list[str]) -> set[str]:
    """The pods that answered these calls."""
    names = ", ".join(f"x'{call.replace('-', '')}'" for call in calls)
    return set(ask_mariadb(board, f"SELECT DISTINCT instance FROM calls WHERE id IN ({names})"))


def kill_and_wait(board: Release, nodes: NodeShell, component: str, container: str) -> None:
    """SIGKILL to one container, and wait until it has started again and its pod is ready."""
    pod = living(board, component)[0]
    before = restarts(pod, container)
    nodes.kill(pod, container)

    def is_back() -> bool:
        after = living(board, component)[0]
        return restarts(after, container) > before and is_ready(after)

    wait_until(is_back, READY_SECONDS, f"{container} to start again")


def delete_and_wait(board: Release, component: str) -> None:
    """Delete the pods of a component on the spot, and wait until as many others are ready."""
    before = {pod["metadata"]["uid"] for pod in living(board, component)}
    selected = f"-l=app.kubernetes.io/instance={board.name},{COMPONENT}={component}"
    where = f"--namespace={board.namespace}"
    board.cluster.kubectl("delete", "pods", selected, where, "--grace-period=0", "--force")

    def are_replaced() -> bool:
        ready = {pod["metadata"]["uid"] for pod in living(board, component) if is_ready(pod)}
        return len(ready - before) >= len(before)

    wait_until(are_replaced, READY_SECONDS, f"new pods of {component}")


def living(board: Release, component: str) -> list[Object]:
    """The pods of a component that are not on their way out."""
    return [pod for pod in board.pods(component) if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: Object) -> bool:
    """Whether a pod says so."""
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def restarts(pod: Object, container: str) -> int:
    """How often a container of a pod has been started again."""
    status = pod["status"]
    states = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
    return next(int(one["restartCount"]) for one in states if one["name"] == container)
