"""The collector with the files that are deployed, between the real processes and real stores."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.cluster.collection import Collection
from tests.cluster.pod_logs import ContainerLog
from tests.cluster.stores import ask
from tests.deploy.test_dashboard import expressions, put_in, questions
from tests.services.errors import ServiceError
from tests.services.kafka import Kafka
from tests.services.redis import Redis
from tests.services.stack import Stack, dependencies
from tests.services.waiting import wait_until

# The first test waits for every server and the whole board to start.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMESPACE = "boards"
TRACE = "5b8efff798038103d269b633813fc60c"
TRACEPARENT = f"00-{TRACE}-eee19b7ec3c1b174-01"
ARRIVAL_SECONDS = 40
EVALUATION_SECONDS = 90
REQUESTS = 40


@pytest.fixture(scope="module")
def pods(services_directory: Path) -> Path:
    """Laid out as /var/log/pods."""
    directory = services_directory / f"pods-{uuid4().hex[:8]}"
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def collection(services_directory: Path, pods: Path) -> Iterator[Collection]:
    directory = services_directory / f"collection-{uuid4().hex[:8]}"
    with Collection(directory, pods, [NAMESPACE]).running() as running:
        yield running


@pytest.fixture(scope="module")
def board(
    collection: Collection,
    services_directory: Path,
    database_url: str,
    redis_server: Redis,
    kafka_server: Kafka,
) -> Iterator[Stack]:
    """The whole topology, with the telemetry that the chart sets."""
    with dependencies(database_url, redis_server, kafka_server) as given:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collection.otlp_port}",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0",
            "OTEL_RESOURCE_ATTRIBUTES": f"k8s.namespace.name={NAMESPACE},k8s.pod.name=api-0",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        stack = Stack(services_directory / f"board-{given.topic}", given, environment=environment)
        with stack.running() as running:
            yield running


@pytest.fixture(scope="module")
def logs(board: Stack, pods: Path) -> dict[str, ContainerLog]:
    """What each process prints, in the files that a node would have."""
    return {
        name: ContainerLog(pods, NAMESPACE, f"board-{name}-0", name, process.log)
        for name, process in board.processes.items()
    }


@pytest.fixture(scope="module")
def call_id(board: Stack, logs: dict[str, ContainerLog]) -> str:
    """The call of one sampled post among others that are not sampled."""
    with httpx.Client(base_url=board.url) as client:
        given = {"username": "observed-user", "password": "correct horse battery"}
        assert client.post("/api/users", json=given).status_code == 201
        posted = client.post(
            "/api/messages", json={"body": "관찰"}, headers={"traceparent": TRACEPARENT}
        )
        assert posted.status_code == 201
        for _ in range(REQUESTS):
            assert client.get("/api/messages").status_code == 200
        call = posted.headers["Madang-Call"]
        wait_until(lambda: client.get(f"/api/logs/kafka/{call}").is_success, 20, call)
    for log in logs.values():
        log.copy()
    return call


def wait_for(collection: Collection, log: ContainerLog) -> None:
    """Until Loki has each line of a log once; the file's order is that of the lines."""
    query = f'{{k8s_pod_name="{log.pod}", k8s_container_name="{log.container}"}}'
    wanted = sorted(log.written)

    def found() -> bool:
        there = sorted(collection.stores.texts(query))
        assert len(there) <= len(wanted), "something arrived twice"
        return there == wanted

    wait_until(found, ARRIVAL_SECONDS, f"{len(wanted)} lines of {log.pod}")
    # What would come a second time comes before what is written later.
    log.write("the last one")
    wanted = sorted(log.written)
    wait_until(found, ARRIVAL_SECONDS, f"one more line of {log.pod}")


def fresh_log(pods: Path, container: str = "writer") -> ContainerLog:
    return ContainerLog(pods, NAMESPACE, f"writer-{uuid4().hex[:8]}", container)


def test_one_request_shows_its_line_and_its_trace_under_one_id(
    collection: Collection, call_id: str
) -> None:
    query = f'{{service_name="madang-api"}} |= "{call_id}"'
    (line,) = wait_until(
        lambda: collection.stores.lines(query), ARRIVAL_SECONDS, "the line of the call"
    )

    assert json.loads(line.text)["trace_id"] == TRACE
    assert line.labels["trace_id"] == TRACE
    assert line.labels["detected_level"] == "info"
    assert line.labels["k8s_namespace_name"] == NAMESPACE
    assert line.labels["k8s_pod_name"] == "board-api-0"
    assert line.labels["k8s_container_name"] == "api"
    services = {"madang-api", "madang-ship", "madang-record"}
    wait_until(
        lambda: collection.stores.services_of_trace(line.labels["trace_id"]) == services,
        ARRIVAL_SECONDS,
        "the trace",
    )


@pytest.mark.usefixtures("call_id")
def test_every_line_of_every_process_arrives_once(
    collection: Collection, logs: dict[str, ContainerLog]
) -> None:
    assert sum(len(log.written) for log in logs.values()) > 2 * REQUESTS
    for log in logs.values():
        wait_for(collection, log)
    for name in ("web", "api", "ship", "record", "live"):
        assert collection.stores.texts(f'{{service_name="madang-{name}"}}'), name


def test_a_span_leads_to_the_lines_of_its_trace(collection: Collection, call_id: str) -> None:
    query = f'{{service_name="madang-api"}} | trace_id="{TRACE}"'

    found = wait_until(lambda: collection.stores.texts(query), ARRIVAL_SECONDS, "the lines")

    assert any(call_id in text for text in found)


@pytest.mark.usefixtures("call_id")
def test_line_of_a_request_that_is_not_sampled_names_a_trace_that_is_not_kept(
    collection: Collection,
) -> None:
    query = '{service_name="madang-api"} | json endpoint, trace_id | endpoint="/api/messages"'
    lines = wait_until(lambda: collection.stores.lines(query), ARRIVAL_SECONDS, "the lines")

    others = {line.labels["trace_id"] for line in lines} - {TRACE}

    assert others
    for trace in others:
        assert collection.stores.services_of_trace(trace) == set()


@pytest.mark.usefixtures("call_id")
def test_nginx_lines_are_of_the_web_and_of_the_trace_that_came(collection: Collection) -> None:
    query = f'{{service_name="madang-web"}} | trace_id="{TRACE}" | json | status="201"'

    (line,) = wait_until(lambda: collection.stores.lines(query), ARRIVAL_SECONDS, "nginx's line")

    assert json.loads(line.text)["path"] == "/api/messages"
    assert line.labels["k8s_pod_name"] == "board-web-0"


@pytest.mark.usefixtures("call_id")
def test_metrics_count_each_request_once_over_all_workers(collection: Collection) -> None:
    query = (
        "sum(http_server_request_duration_seconds_count"
        f'{{job="madang-api",k8s_namespace_name="{NAMESPACE}",http_request_method="GET",'
        'http_route="/api/messages"})'
    )

    wait_until(
        lambda: collection.stores.value(query) == REQUESTS, ARRIVAL_SECONDS, f"{REQUESTS} requests"
    )


@pytest.mark.usefixtures("call_id")
def test_prometheus_has_what_the_dashboard_asks_for(collection: Collection) -> None:
    # Growth takes two samples in the window; what has never been is empty.
    seldom = ("ALERTS", "append_duration", "refused", "torn", "madang_record_lost")

    usual = [one for one in questions() if not any(name in one for name in seldom)]
    with suppress(ServiceError):  # the comparison below says what was asked in vain
        wait_until(lambda: not _unanswered(collection, usual), ARRIVAL_SECONDS, "every answer")
    assert _unanswered(collection, usual) == []
    for question in questions():
        ask(collection.prometheus.url, "/api/v1/query", query=question)


def test_prometheus_evaluates_every_alert_rule(collection: Collection) -> None:
    def health() -> set[str]:
        groups = ask(collection.prometheus.url, "/api/v1/rules")["data"]["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]}

    # Unknown until the first time, which comes within the interval.
    wait_until(lambda: "unknown" not in health(), EVALUATION_SECONDS, "the rules' first time")
    assert health() == {"ok"}


def _unanswered(collection: Collection, questions: list[str]) -> list[str]:
    return [question for question in questions if collection.stores.value(question) is None]


def test_loki_understands_what_the_dashboard_asks(collection: Collection) -> None:
    asked = expressions("loki")

    assert asked
    for question in asked:
        collection.stores.lines(put_in(question).replace("$text", ""))


def test_levels_traces_and_services_come_out_of_any_line(
    collection: Collection, pods: Path
) -> None:
    log = fresh_log(pods)
    long = "x" * 40_000
    log.write(
        json.dumps({"level": "warning", "event": "slow", "service_name": "madang-api"}),
        json.dumps({"level": "critical", "event": "worse", "service_name": "madang-record"}),
        json.dumps({"event": "no level", "service_name": "madang-live", "trace_id": "short"}),
        "plain text, as a database writes it",
        "{ not JSON",
        json.dumps({"level": "error", "event": long, "service_name": "madang-ship"}),
    )
    wait_for(collection, log)

    lines = {
        line.text: line.labels for line in collection.stores.lines(f'{{k8s_pod_name="{log.pod}"}}')
    }
    services = [lines[text]["service_name"] for text in log.written]
    assert services == [
        "madang-api", "madang-record", "madang-live", "writer", "writer", "madang-ship", "writer",
    ]  # fmt: skip
    levels = [lines[log.written[number]]["detected_level"] for number in (0, 1, 5)]
    assert levels == ["warn", "fatal", "error"]


@pytest.mark.parametrize(
    ("container", "service"),
    [
        ("api", "madang-api"),
        ("web", "madang-web"),
        ("wait-for-schema", "madang-wait-for-schema"),
        ("mariadb", "mariadb"),
        ("my-api", "my-api"),
    ],
)
def test_plain_line_of_a_container_of_the_board_is_of_its_service(
    collection: Collection, pods: Path, container: str, service: str
) -> None:
    log = fresh_log(pods, container)
    log.write("madang: MADANG_KAFKA_BOOTSTRAP must be host:port,host:port")
    log.write(json.dumps({"event": "named", "service_name": "madang-other"}))
    wait_for(collection, log)

    lines = collection.stores.lines(f'{{k8s_pod_name="{log.pod}"}}')
    services = {line.text: line.labels["service_name"] for line in lines}
    assert [services[text] for text in log.written] == [service, "madang-other", service]


def test_another_namespace_is_left_alone(collection: Collection, pods: Path) -> None:
    stranger = ContainerLog(pods, "elsewhere", "other-0", "other")
    stranger.write("not for us")
    log = fresh_log(pods)
    log.write("for us")
    wait_for(collection, log)

    assert collection.stores.texts('{k8s_namespace_name="elsewhere"}') == []


def test_restart_of_the_agent_neither_loses_nor_doubles(collection: Collection, pods: Path) -> None:
    log = fresh_log(pods)
    log.write(*(f"before {number}" for number in range(500)))
    collection.agent.stop()
    log.write(*(f"while away {number}" for number in range(500)))
    collection.agent.start()
    log.write(*(f"after {number}" for number in range(500)))

    wait_for(collection, log)


def test_killed_agent_and_gateway_lose_nothing(collection: Collection, pods: Path) -> None:
    log = fresh_log(pods)
    for process in (collection.agent, collection.gateway, collection.agent):
        for number in range(1000):
            log.write(f"{process.name} {uuid4().hex} {number}")
        process.kill()
        log.write(f"{process.name} was killed {uuid4().hex}")
        process.start()

    def there() -> list[str]:
        return collection.stores.texts(f'{{k8s_pod_name="{log.pod}"}}')

    wait_until(lambda: set(log.written) <= set(there()), ARRIVAL_SECONDS, "every line")
    # What was on its way at a kill is sent again: at most once for each of the three.
    assert set(Counter(there()).values()) <= {1, 2, 3, 4}
    assert set(there()) == set(log.written)


def test_agent_stopped_while_the_gateway_is_away_loses_nothing(
    collection: Collection, pods: Path
) -> None:
    log = fresh_log(pods)
    log.write("at first")
    wait_for(collection, log)
    collection.gateway.stop()
    log.write(*(f"not delivered {number}" for number in range(300)))
    wait_until(
        lambda: (
            "Will retry" in collection.agent.log_tail(200)
            or "connection refused" in collection.agent.log_tail(200)
        ),
        20,
        "the agent to have tried",
    )
    collection.agent.stop()
    collection.gateway.start()
    collection.agent.start()

    wait_for(collection, log)


def test_loki_away_for_a_while_costs_no_line(collection: Collection, pods: Path) -> None:
    log = fresh_log(pods)
    log.write("at first")
    wait_for(collection, log)
    collection.loki.process.stop()
    log.write(*(f"while Loki is away {number}" for number in range(300)))
    collection.loki.process.start()

    wait_for(collection, log)


def test_file_put_aside_while_the_agent_is_away_is_read_to_its_end(
    collection: Collection, pods: Path
) -> None:
    log = fresh_log(pods)
    log.write(*(f"first {number}" for number in range(50)))
    wait_for(collection, log)
    collection.agent.stop()
    log.write(*(f"last of the old file {number}" for number in range(50)))
    log.rotate()
    log.write(*(f"new file {number}" for number in range(50)))
    collection.agent.start()

    wait_for(collection, log)
