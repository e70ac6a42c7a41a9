"""`deploy.sh --observability` on a cluster that runs what it installs, from one call to its end.

Loki, Prometheus and the collector are the chart's own pods. The traces go to a Jaeger outside of
it, for Tempo and Grafana cannot be built where no registry is reached.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml

from tests.cluster.scripts import Scripts, everything
from tests.cluster.stores import Stores
from tests.services.errors import ServiceError
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.release import Release
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

COLLECTION = "observability"
OTLP, QUERY = 4318, 16686
TRACE = "7d1f6a0c2b9e4835a6c8d0f21e3b5a79"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ARRIVAL_SECONDS = 120
REQUESTS = 60


@pytest.fixture(scope="module")
def traces(cluster: Cluster, namespace: str) -> str:
    """The namespace of a store of traces."""
    here = f"--namespace={namespace}"
    cluster.kubectl("apply", here, "--filename", Path(__file__).with_name("jaeger"))
    cluster.kubectl("rollout", "status", "deployment/jaeger", here, "--timeout=120s", seconds=150)
    return namespace


@pytest.fixture(scope="module")
def scripts(
    cluster: Cluster, images: Images, traces: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scripts]:
    """For a namespace that is not there yet, with what collects.

    Raises:
        ServiceError: something collects already, which is not ours to change and to remove.
    """
    if cluster.try_kubectl("get", "namespace", COLLECTION) is not None:
        raise ServiceError(f"the cluster has a namespace {COLLECTION} already")
    directory = tmp_path_factory.mktemp("values")
    board, collection = directory / "board.yaml", directory / "collection.yaml"
    board.write_text(yaml.safe_dump({"image": {"registry": images.registry, "tag": images.tag}}))
    store = {"enabled": False, "external": {"otlp": f"http://jaeger.{traces}:{OTLP}"}}
    egress = [{"namespace": traces, "ports": [OTLP]}]
    collection.write_text(
        yaml.safe_dump(
            {
                "tempo": store,
                "grafana": {"enabled": False},
                "networkPolicy": {"egress": egress},
            }
        )
    )
    namespace = f"test-{uuid4().hex[:8]}"
    options = ("--values", str(board), "--observability", "--observability-values", str(collection))
    yield Scripts(cluster, namespace, options)
    gone = ("delete", "namespace", namespace, COLLECTION, "--ignore-not-found")
    cluster.kubectl(*gone, seconds=300)


@pytest.fixture(scope="module")
def board(scripts: Scripts, images: Images) -> Release:
    """The board with its collection, up."""
    done = scripts.deploy()
    assert done.returncode == 0, done.stderr
    return Release(scripts.cluster, images, scripts.namespace, name="madang")


@pytest.fixture(scope="module")
def stores(board: Release, traces: str) -> Iterator[Stores]:
    """What has been collected, asked through port-forwards."""
    forward = board.cluster.forward
    with ExitStack() as ends:
        loki = ends.enter_context(forward(COLLECTION, "service/observability-loki", 3100))
        jaeger = ends.enter_context(forward(traces, "service/jaeger", QUERY))
        found = forward(COLLECTION, "service/observability-prometheus", 9090)
        yield Stores(loki, jaeger, ends.enter_context(found))


@pytest.fixture(scope="module")
def call_id(board: Release) -> str:
    """The call of one sampled post among others that are read."""
    with board.forward() as url, httpx.Client(base_url=url, timeout=30) as client:
        client.post("/api/session", json=board.secret("admin")).raise_for_status()
        posted = client.post(
            "/api/messages", json={"body": "관찰"}, headers={"traceparent": TRACEPARENT}
        ).raise_for_status()
        for _ in range(REQUESTS):
            client.get("/api/messages").raise_for_status()
        return posted.headers["Madang-Call"]


def test_a_call_is_found_by_service_and_pod_and_leads_to_its_trace(
    board: Release, stores: Stores, call_id: str
) -> None:
    query = f'{{service_name="madang-api"}} |= "{call_id}"'
    (line,) = wait_until(lambda: stores.lines(query), ARRIVAL_SECONDS, "the line of the call")

    (api,) = board.pods("api")
    assert json.loads(line.text)["trace_id"] == TRACE
    assert line.labels["trace_id"] == TRACE
    assert line.labels["k8s_namespace_name"] == board.namespace
    assert line.labels["k8s_pod_name"] == api["metadata"]["name"]
    assert line.labels["k8s_container_name"] == "api"
    services = {"madang-api", "madang-ship", "madang-record"}
    wait_until(
        lambda: stores.services_of_trace(TRACE) == services, ARRIVAL_SECONDS, "the whole trace"
    )


@pytest.mark.usefixtures("call_id")
def test_requests_are_counted_over_all_workers(board: Release, stores: Stores) -> None:
    query = (
        f'sum(http_server_request_duration_seconds_count{{job="madang-api",'
        f'k8s_namespace_name="{board.namespace}",http_request_method="GET",'
        'http_route="/api/messages"})'
    )

    wait_until(lambda: stores.value(query) == REQUESTS, ARRIVAL_SECONDS, f"{REQUESTS} requests")


@pytest.mark.usefixtures("call_id")
def test_every_line_of_every_container_arrives_once(board: Release, stores: Stores) -> None:
    restarts = [
        one["name"] for pod in board.pods() for one in _statuses(pod) if one["restartCount"]
    ]
    assert restarts == [], "kubectl logs shows no run but the last"
    lines = [_wait_for_lines(board, stores, *names) for names in _containers(board)]
    assert sum(lines) > 2 * REQUESTS
    found = {line.labels["service_name"] for line in stores.lines('{k8s_pod_name=~"madang-.*"}')}
    assert found >= {"madang-web", "madang-api", "madang-ship", "madang-record", "madang-live"}
    others = {name for name in found if not name.startswith("madang-")}
    assert others <= {"mariadb", "redis", "kafka", "test"}


@pytest.mark.usefixtures("call_id")
def test_agent_in_another_pod_goes_on_where_the_one_before_stopped(
    board: Release, stores: Stores
) -> None:
    cluster, here = board.cluster, f"--namespace={COLLECTION}"
    cluster.kubectl("delete", "pods", here, "--selector=app.kubernetes.io/component=agent")
    with board.forward() as url, httpx.Client(base_url=url, timeout=30) as client:
        for _ in range(REQUESTS):
            client.get("/api/health/live").raise_for_status()
            client.get("/api/messages")  # 401, and a line
    status = ("rollout", "status", "daemonset/observability-agent", here, "--timeout=120s")
    cluster.kubectl(*status, seconds=150)

    for component in ("api", "web"):
        (pod,) = board.pods(component)
        _wait_for_lines(board, stores, pod["metadata"]["name"], component)


def test_cleanup_leaves_nothing_of_both(scripts: Scripts, board: Release) -> None:
    done = scripts.cleanup("--delete-data")

    assert done.returncode == 0, done.stderr
    assert "/var/lib/madang-observability" in done.stdout
    names = (board.namespace, COLLECTION)
    assert not [one for one in everything(scripts.cluster) if any(name in one for name in names)]


def _containers(board: Release) -> list[tuple[str, str]]:
    """Pod and container, of all that have started."""
    return [
        (pod["metadata"]["name"], status["name"])
        for pod in board.pods()
        for status in _statuses(pod)
        if status["state"].keys() & {"running", "terminated"}
    ]


def _statuses(pod: Any) -> list[Any]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _wait_for_lines(board: Release, stores: Stores, pod: str, container: str) -> int:
    """Wait until Loki has each line that the node has by now, once; returns how many these are."""
    query = f'{{k8s_pod_name="{pod}", k8s_container_name="{container}"}}'

    def printed() -> Counter[str]:
        words = ("logs", f"--namespace={board.namespace}", pod, f"--container={container}")
        return Counter(board.cluster.kubectl(*words).split("\n")[:-1])

    wanted = printed()
    with suppress(ServiceError):  # the comparison below says which are missing
        wait_until(lambda: not wanted - Counter(stores.texts(query)), ARRIVAL_SECONDS, "its lines")
    there = Counter(stores.texts(query))
    assert wanted - there == Counter(), f"missing of {query}"
    assert there - printed() == Counter(), f"arrived twice of {query}"
    return wanted.total()
