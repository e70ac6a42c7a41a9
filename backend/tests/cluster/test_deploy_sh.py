"""deploy.sh and cleanup.sh on a cluster that runs what they install, one after the other."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml

from tests.cluster.scripts import Scripts, everything
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.release import Release
from tests.services.process import Process
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

OWNED = "--selector=app.kubernetes.io/instance=madang"


@pytest.fixture(scope="module")
def scripts(
    cluster: Cluster, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scripts]:
    """For a namespace that is not there yet."""
    values = tmp_path_factory.mktemp("values") / "images.yaml"
    values.write_text(yaml.safe_dump({"image": {"registry": images.registry, "tag": images.tag}}))
    namespace = f"test-{uuid4().hex[:8]}"
    yield Scripts(cluster, namespace, ("--values", str(values)))
    cluster.kubectl("delete", "namespace", namespace, "--ignore-not-found", seconds=300)


@pytest.fixture(scope="module")
def board(scripts: Scripts, images: Images) -> Release:
    """What deploy.sh installs."""
    return Release(scripts.cluster, images, scripts.namespace, name="madang")


def messages(board: Release, body: str | None = None) -> list[str]:
    """The messages, as the administrator sees them; one more with this body."""
    with board.forward() as url, httpx.Client(base_url=url, timeout=30) as browser:
        browser.post("/api/session", json=board.secret("admin")).raise_for_status()
        if body:
            browser.post("/api/messages", json={"body": body}).raise_for_status()
        found = browser.get("/api/messages").raise_for_status().json()["items"]
        return [one["body"] for one in found]


def running(board: Release) -> dict[str, str]:
    """Name and identity of the pods that stay."""
    return {
        pod["metadata"]["name"]: pod["metadata"]["uid"]
        for pod in board.pods()
        if pod["status"]["phase"] == "Running"
    }


def test_dry_run_says_what_it_would_make_and_changes_nothing(scripts: Scripts) -> None:
    before = everything(scripts.cluster, versions=False)

    shown = scripts.deploy("--dry-run", yes=False)

    assert shown.returncode == 0, shown.stderr
    assert f"make    namespace/{scripts.namespace}\n" in shown.stdout
    assert "make    statefulset/madang-mariadb\n" in shown.stdout
    assert everything(scripts.cluster, versions=False) == before


def test_image_that_no_node_can_have_is_told_before_anything_is_installed(
    scripts: Scripts, tmp_path: Path
) -> None:
    values = tmp_path / "absent.yaml"
    values.write_text("web: {image: {repository: madang-nowhere}}\n")

    refused = scripts.deploy("--values", str(values))

    assert refused.returncode == 1
    assert "madang-nowhere" in refused.stderr
    assert "cannot be pulled, ErrImagePull" in refused.stderr
    assert "mend: push it, or name yours by image.registry" in refused.stderr
    here = f"--namespace={scripts.namespace}"
    assert scripts.cluster.get("secrets", "--selector=owner=helm", here) == []
    assert scripts.cluster.get("pods", here) == []


def test_pod_that_does_not_come_up_is_told_with_its_last_words(
    scripts: Scripts, tmp_path: Path
) -> None:
    values = tmp_path / "wrong.yaml"
    values.write_text('mariadb: {settings: {no-such-setting: "1"}}\n')

    told = scripts.deploy("--values", str(values))

    assert told.returncode == 1
    assert "madang-mariadb-0: CrashLoopBackOff: mariadb ended with" in told.stderr
    assert "last lines of madang-mariadb-0:" in told.stderr
    assert "unknown variable 'no-such-setting=1'" in told.stderr
    assert "run the same command again to go on" in told.stderr


def test_deploy_installs_until_the_board_answers(scripts: Scripts, board: Release) -> None:
    done = scripts.deploy()

    assert done.returncode == 0, done.stderr
    assert "10 of 10 are up\n    the board answers\n" in done.stdout
    assert "The administrator is admin; name and password:" in done.stdout
    assert f"helm test madang --namespace {scripts.namespace}" in done.stdout
    labels = scripts.cluster.get(f"namespace/{scripts.namespace}")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert messages(board, "before the cleanup") == ["before the cleanup"]


def test_deploying_the_same_again_leaves_every_pod_alone(scripts: Scripts, board: Release) -> None:
    before = running(board)

    plan = scripts.deploy("--dry-run", yes=False)
    done = scripts.deploy()

    planned = [line.split() for line in plan.stdout.splitlines() if "/madang-" in line]
    repeated = {name.rpartition("-")[0] for verb, name in planned if verb == "repeat"}
    assert {verb for verb, _ in planned} == {"keep", "repeat"}
    assert repeated == {f"job/madang-{name}" for name in ("migrate", "topics", "admin")}
    assert done.returncode == 0, done.stderr
    assert running(board) == before


def test_deploy_that_is_stopped_goes_on_the_next_time(
    scripts: Scripts, board: Release, tmp_path: Path
) -> None:
    values, log = tmp_path / "debug.yaml", tmp_path / "log"
    values.write_text("logLevel: debug\n")
    options = (*scripts.options, "--values", str(values), "--yes")
    command = scripts.command("deploy.sh", *options)
    deploy = Process("deploy.sh", command, log=log, environment=scripts.environment)

    deploy.start()
    wait_until(lambda: "10 are up; " in log.read_text(), 300, "the wait for its pods")
    os.killpg(deploy.pid, signal.SIGINT)
    code = deploy.wait(60)
    again = scripts.deploy("--values", str(values))

    assert code == 130
    assert "stopped. Nothing is lost: run the same command again to go on" in log.read_text()
    assert again.returncode == 0, again.stderr
    assert messages(board) == ["before the cleanup"]


def test_cleanup_leaves_only_data_and_says_so(scripts: Scripts, board: Release) -> None:
    board.test()

    done = scripts.cleanup()

    assert done.returncode == 0, done.stderr
    found = everything(scripts.cluster, OWNED, namespace=scripts.namespace)
    left = {one.split()[1] for one in found}
    assert left == {"PersistentVolumeClaim", "Secret"}
    for name in ("persistentvolumeclaim/data-madang-mariadb-0", "secret/madang-secrets"):
        assert f"    {name}\n" in done.stdout
    assert f"deploy/cleanup.sh --namespace {scripts.namespace} --delete-data" in done.stdout
    assert scripts.cleanup().returncode == 0


def test_deploy_after_a_cleanup_finds_the_data(scripts: Scripts, board: Release) -> None:
    done = scripts.deploy()

    assert done.returncode == 0, done.stderr
    assert messages(board) == ["before the cleanup"]


def test_cleanup_with_delete_data_leaves_nothing(scripts: Scripts) -> None:
    done = scripts.cleanup("--delete-data")

    assert done.returncode == 0, done.stderr
    assert f"Nothing is left: there is no namespace {scripts.namespace}\n" in done.stdout
    assert not [one for one in everything(scripts.cluster) if scripts.namespace in one]
    for volume in scripts.cluster.get("persistentvolumes"):
        assert volume["spec"]["claimRef"]["namespace"] != scripts.namespace


def test_cleanup_of_nothing_says_so(scripts: Scripts) -> None:
    done = scripts.cleanup("--delete-data")

    assert done.returncode == 0, done.stderr
    assert f"there is no namespace {scripts.namespace}\n" in done.stdout
