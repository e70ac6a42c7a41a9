"""The small profile from its installation to its end, with real pods."""

import httpx
import pytest

from tests.services.kubernetes.release import COMPONENT, Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

RUNNING = ("web", "api", "live", "record", "mariadb", "redis", "kafka")
KINDS = (
    *("all", "secrets", "configmaps", "serviceaccounts", "persistentvolumeclaims"),
    *("networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers", "ingresses"),
)
DONE = ("migrate", "topics", "admin")


def test_every_pod_runs_and_none_had_to_start_twice(board: Release) -> None:
    for pod in board.pods():
        states = [
            *pod["status"].get("initContainerStatuses", ()),
            *pod["status"]["containerStatuses"],
        ]
        restarts = {state["name"]: state["restartCount"] for state in states}
        assert not any(restarts.values()), f"{pod['metadata']['name']}: {restarts}"
    phases = {pod["metadata"]["labels"][COMPONENT]: pod["status"]["phase"] for pod in board.pods()}
    phases.pop("prune", None)  # at 3:17
    assert phases == dict.fromkeys(RUNNING, "Running") | dict.fromkeys(DONE, "Succeeded")


def test_helm_test_walks_through_every_part(board: Release) -> None:
    said = board.test()
    assert "found in /api/logs/redis" in said
    assert "found in /api/logs/kafka" in said


def test_page_and_api_answer_through_nginx(board: Release) -> None:
    with board.forward() as url, httpx.Client(base_url=url, timeout=30) as browser:
        page = browser.get("/")
        assert page.status_code == 200
        assert "<title>" in page.text
        health = browser.get("/api/health/ready")
        assert health.status_code == 200, health.text


def test_administrator_of_the_secret_logs_in(board: Release) -> None:
    with board.forward() as url, httpx.Client(base_url=url, timeout=30) as browser:
        answer = browser.post("/api/session", json=board.secret("admin"))
        assert answer.status_code == 200, answer.text
        assert browser.get("/api/session").json()["user"]["role"] == "admin"


def test_uninstall_leaves_secrets_volumes_and_the_log_of_the_last_test(board: Release) -> None:
    board.uninstall()
    left = board.cluster.get(",".join(KINDS), f"--namespace={board.namespace}")
    names = {f"{one['kind']}/{one['metadata']['name']}" for one in left}
    assert names - {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"} == {
        "Secret/board-admin",
        "Secret/board-secrets",
        "PersistentVolumeClaim/data-board-kafka-0",
        "PersistentVolumeClaim/data-board-mariadb-0",
        "Pod/board-test",
    }
