"""What has to stay as it is: secrets and data, through upgrades, roll-backs and a new installation.

The cases are steps of one course, in this order.
"""

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.services.kubernetes.keepsake import Keepsake, assert_there, leave
from tests.services.kubernetes.pod_scripts import wait_for_kafka
from tests.services.kubernetes.release import COMPONENT, Release
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

SCALED = ("web", "api", "live")
STOPPED = {
    "api": "deployment",
    "live": "deployment",
    "record": "deployment",
    "redis": "statefulset",
}
"""What may not run while a dump is restored, and what it is."""
CATCH_UP_SECONDS = 180
UPGRADE = (
    *("--set", "autoscaling.enabled=true,autoscaling.minReplicas=1,autoscaling.maxReplicas=1"),
    *("--set", "web.service.type=LoadBalancer"),
)


@pytest.fixture(scope="module")
def left(board: Release) -> Keepsake:
    """What a user left there when it was new."""
    return leave(board)


@pytest.fixture(scope="module")
def secrets(board: Release) -> dict[str, dict[str, str]]:
    """As they were when it was new."""
    return secrets_of(board)


def secrets_of(board: Release) -> dict[str, dict[str, str]]:
    """The values of all its Secrets."""
    return {ending: board.secret(ending) for ending in ("secrets", "admin")}


def test_upgrade_leaves_secrets_and_data(
    board: Release, left: Keepsake, secrets: dict[str, dict[str, str]]
) -> None:
    board.install(*UPGRADE)
    assert secrets_of(board) == secrets
    assert_there(board, left)


def test_load_balancer_that_nobody_provides_keeps_nothing_from_working(board: Release) -> None:
    service = board.cluster.get(f"service/{board.name}-web", f"--namespace={board.namespace}")
    assert service["spec"]["type"] == "LoadBalancer"
    assert "removed" in board.test()


def test_autoscalers_read_the_cpu_of_their_containers(board: Release) -> None:
    def reads(component: str) -> bool:
        name = f"hpa/{board.name}-{component}"
        status = board.cluster.get(name, f"--namespace={board.namespace}")["status"]
        # One that has read nothing yet has a metric without a type.
        metrics = [one.get("containerResource", {}) for one in status.get("currentMetrics") or ()]
        return any(
            one.get("container") == component and "averageUtilization" in one["current"]
            for one in metrics
        )

    for component in SCALED:
        what = f"the autoscaler of {component} to read a metric"
        wait_until(partial(reads, component), CATCH_UP_SECONDS, what)


def test_rollback_leaves_secrets_and_data(
    board: Release, left: Keepsake, secrets: dict[str, dict[str, str]]
) -> None:
    board.roll_back()
    where = f"--namespace={board.namespace}"
    assert board.cluster.get(f"service/{board.name}-web", where)["spec"]["type"] == "ClusterIP"
    assert board.cluster.get("hpa", where) == []
    assert secrets_of(board) == secrets
    assert_there(board, left)


@pytest.fixture
def pruning(board: Release) -> Iterator[str]:
    """A Job that was made by hand of the CronJob; gone after the test."""
    where = f"--namespace={board.namespace}"
    job = "job/prune-by-hand"
    source = f"--from=cronjob/{board.name}-prune"
    board.cluster.kubectl("create", "job", "prune-by-hand", source, where)
    yield job
    board.cluster.kubectl("delete", job, where, "--wait")


def test_prune_runs_by_hand(board: Release, left: Keepsake, pruning: str) -> None:
    where = f"--namespace={board.namespace}"
    board.cluster.wait("condition=Complete", pruning, where)
    said = board.cluster.kubectl("logs", pruning, where)
    assert "Removed 0 calls, 0 rejected events and 0 expired sessions" in said
    assert_there(board, left)


def test_dump_is_restored_as_the_page_says(board: Release, left: Keepsake, tmp_path: Path) -> None:
    dump = tmp_path / "madang.sql.gz"
    program = "mariadb-dump --user=root --single-transaction --databases madang"
    shell(board, f"{in_mariadb(board, program)} | gzip >{dump}")
    later = leave(board)

    where = f"--namespace={board.namespace}"
    workloads = [f"{kind}/{board.name}-{part}" for part, kind in STOPPED.items()]
    board.cluster.kubectl("scale", where, *workloads, "--replicas=0")
    selected = f"app.kubernetes.io/instance={board.name},{COMPONENT} in ({','.join(STOPPED)})"
    board.cluster.wait("delete", "pods", where, f"--selector={selected}", seconds=CATCH_UP_SECONDS)
    shell(board, f"gunzip --stdout {dump} | {in_mariadb(board, 'mariadb --user=root')}")
    board.cluster.kubectl("delete", "jobs", where, f"--selector={COMPONENT}=migrate")
    board.install("--force-conflicts")

    with board.forward() as url, httpx.Client(base_url=url, timeout=60) as browser:
        # A pod is ready a moment before nginx's node knows that its Service has one again.
        ready = partial(browser.get, "/api/health/ready")
        wait_until(lambda: ready().status_code == 200, CATCH_UP_SECONDS, "the board to answer")
        assert browser.post("/api/session", json=later.account).status_code == 401
        browser.headers["Cookie"] = later.session
        assert browser.post("/api/messages", json={"body": "of nobody"}).status_code == 401
    assert_there(board, left)
    assert_there(board, leave(board))


def in_mariadb(board: Release, program: str) -> str:
    """The words of a shell that run a program beside the database, as its administrator."""
    inside = f"""'MYSQL_PWD="$MARIADB_ROOT_PASSWORD" exec {program}'"""
    where = f"--namespace={board.namespace} {board.name}-mariadb-0"
    return f"kubectl exec --stdin {where} -- sh -c {inside}"


def shell(board: Release, command: str) -> None:
    """Run a pipe, for what kubectl gives and takes may be no text: identifiers are binary."""
    environment = board.cluster.environment
    words = ("bash", "-o", "pipefail", "-c", command)
    subprocess.run(words, env=environment, check=True, timeout=CATCH_UP_SECONDS)


def test_data_is_there_after_all_pods_are_deleted(board: Release, left: Keepsake) -> None:
    selected = ("--selector", f"app.kubernetes.io/instance={board.name}")
    board.cluster.kubectl(
        "delete", "pods", *selected, f"--namespace={board.namespace}", "--now", seconds=300
    )
    board.wait_ready()
    assert_there(board, left)
    wait_for_kafka(board, 0, 1, 2)
    assert_there(board, leave(board))


def test_board_installed_again_takes_kept_volumes_and_secrets(
    board: Release, left: Keepsake, secrets: dict[str, dict[str, str]]
) -> None:
    board.uninstall()
    assert secrets_of(board) == secrets
    board.install()
    assert secrets_of(board) == secrets
    assert_there(board, left)
    assert_there(board, leave(board))
