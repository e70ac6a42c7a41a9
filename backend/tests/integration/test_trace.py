"""One sampled request, followed through every process by its trace."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.services.kafka import Kafka
from tests.services.otlp import OtlpReceiver, ReceivedSpan
from tests.services.redis import Redis
from tests.services.stack import Stack, dependencies
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def traced(
    otlp: OtlpReceiver,
    services_directory: Path,
    fresh_database_url: str,
    redis_server: Redis,
    kafka_server: Kafka,
) -> Iterator[Stack]:
    with dependencies(fresh_database_url, redis_server, kafka_server) as given:
        stack = Stack(
            services_directory / f"traced-{given.topic}",
            given,
            environment=otlp.environment | {"OTEL_TRACES_SAMPLER": "parentbased_always_off"},
        )
        with stack.running() as running:
            yield running


def test_one_sampled_trace_shows_request_delivery_and_history(
    traced: Stack, otlp: OtlpReceiver
) -> None:
    with httpx.Client(base_url=traced.url) as client:
        credentials = {"username": "traced-user", "password": "correct horse battery"}
        assert client.post("/api/users", json=credentials).status_code == 201
        answer = client.post(
            "/api/messages", json={"body": "자취"}, headers={"traceparent": SAMPLED}
        )
        assert answer.status_code == 201
        call_id = answer.headers["Madang-Call"]
        wait_until(lambda: client.get(f"/api/logs/kafka/{call_id}").is_success, 10, call_id)
        assert client.get(f"/api/logs/kafka/{call_id}").json()["trace_id"] == TRACE
    spans = otlp.wait_for_spans(lambda span: span.trace_id == TRACE, 3)
    names = {span.service: span.span.name for span in spans}
    assert names == {
        "madang-api": "POST /api/messages",
        "madang-ship": "api-logs send",
        "madang-record": "api-logs process",
    }
    assert {span.trace_id for span in otlp.spans} == {TRACE}, "only what was sampled is sent"
    request, send, process = (
        _of(spans, name) for name in ("madang-api", "madang-ship", "madang-record")
    )
    assert request.span.parent_span_id.hex() == "b7ad6b7169203331"
    assert send.span.parent_span_id == request.span.span_id
    assert process.span.parent_span_id == send.span.span_id
    wait_until(
        lambda: any(log.record.trace_id.hex() == TRACE for log in otlp.logs), 10, "a log line"
    )
    (line,) = {log.service for log in otlp.logs if log.record.trace_id.hex() == TRACE}
    assert line == "madang-api"
    wait_until(
        lambda: (
            {"http.server.request.duration", "madang.ship.sent", "madang.record.recorded"}
            <= {metric.metric.name for metric in otlp.metrics}
        ),
        10,
        "the metrics of all processes",
    )


def _of(spans: list[ReceivedSpan], service: str) -> ReceivedSpan:
    (found,) = (span for span in spans if span.service == service)
    return found


def test_each_worker_of_the_api_counts_under_a_name_of_its_own_and_from_zero(
    traced: Stack, otlp: OtlpReceiver
) -> None:
    def counts() -> dict[str, int]:
        return {
            one.instance: one.metric.sum.data_points[0].as_int
            for one in otlp.metrics
            if one.metric.name == "madang.calls.unrecorded"
        }

    wait_until(lambda: len(counts()) == 2, 15, "what both workers count")
    assert set(counts().values()) == {0}
    # Besides its own the supervisor has one that waits for each worker, and none that exports.
    assert psutil.Process(traced.api.pid).num_threads() == 1 + len(counts())
