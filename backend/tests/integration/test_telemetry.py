"""A process with telemetry, and a real OTLP receiver, none, or one that never answers."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.services.ports import free_port

pytestmark = pytest.mark.integration

WORK = """
import os, sys, time
import structlog
from opentelemetry.trace import SpanKind, use_span
from madang.telemetry import *

telemetry = configure("madang-api", "pod-1", console=False)
log = structlog.get_logger("test")
telemetry.observe_ship_backlog(lambda: 4096)
telemetry.observe_record_lag(lambda: 0.25)

def call():
    span = telemetry.tracer.start_span("GET", kind=SpanKind.SERVER)
    with use_span(span, end_on_exit=True):
        bind_request_id("request-1")
        log.info("call", status=200, lone="\\ud800", note=None, parts=[1, 2])
        telemetry.request_duration.record(
            0.02, {"http.request.method": "GET", "http.route": "/api/messages",
                   "http.response.status_code": 200})
        telemetry.spool_append_duration.record(0.0002)
        telemetry.ship_sent.add(1)
    return traceparent_of(span)
"""


@dataclass
class Receiver:
    """What has been sent so far."""

    endpoint: str
    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    logs: list[ExportLogsServiceRequest] = field(default_factory=list)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """An OTLP/HTTP receiver of protobuf on a free port."""
    received = Receiver("")
    keep: dict[str, Callable[[bytes], None]] = {
        "/v1/traces": lambda body: received.traces.append(
            ExportTraceServiceRequest.FromString(body)
        ),
        "/v1/metrics": lambda body: received.metrics.append(
            ExportMetricsServiceRequest.FromString(body)
        ),
        "/v1/logs": lambda body: received.logs.append(ExportLogsServiceRequest.FromString(body)),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keep[self.path](self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()


def work(code: str, **environ: str) -> tuple[list[str], list[dict[str, object]]]:
    """Run WORK and `code` in a process: the plain lines and the JSON lines it wrote."""
    done = subprocess.run(
        [sys.executable, "-c", WORK + code],
        env={"PYTHONPATH": ":".join(sys.path), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    return (
        [line for line in lines if not line.startswith("{")],
        [json.loads(line) for line in lines if line.startswith("{")],
    )


def attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    """OTLP attributes with string values as a dict."""
    return {pair.key: pair.value.string_value for pair in pairs}


def test_collector_gets_traces_metrics_and_logs_that_belong_together() -> None:
    with receiver() as received:
        printed, lines = work(
            "print(call(), flush=True)\nprint(telemetry.shutdown(10), flush=True)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_LOGS_EXPORTER="otlp",
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test,service.name=other",
            OTEL_SERVICE_NAME="other",
        )
    traceparent, flushed = printed
    _, trace_id, span_id, _ = traceparent.split("-")
    assert flushed == "True"

    resource_spans = received.traces[0].resource_spans[0]
    named = attributes(resource_spans.resource.attributes)
    assert named["service.name"] == "madang-api"
    assert named["service.instance.id"] == "pod-1"
    assert named["service.version"]
    assert named["deployment.environment.name"] == "test"
    span = resource_spans.scope_spans[0].spans[0]
    assert (span.name, span.trace_id.hex(), span.span_id.hex()) == ("GET", trace_id, span_id)

    record = received.logs[0].resource_logs[0].scope_logs[0].log_records[0]
    assert (record.trace_id.hex(), record.span_id.hex()) == (trace_id, span_id)
    assert (record.body.string_value, record.severity_text) == ("call", "INFO")
    assert attributes(record.attributes)["request_id"] == "request-1"
    assert attributes(record.attributes)["lone"] == "\\ud800"

    metrics = received.metrics[-1].resource_metrics[0].scope_metrics[0].metrics
    assert {metric.name: metric.unit for metric in metrics} == {
        "http.server.request.duration": "s",
        "madang.spool.append.duration": "s",
        "madang.ship.sent": "{call}",
        "madang.ship.backlog.bytes": "By",
        "madang.record.lag": "s",
    }
    duration = next(m for m in metrics if m.name == "http.server.request.duration")
    point = duration.histogram.data_points[0]
    assert point.count == 1
    assert list(point.explicit_bounds)[:3] == [0.005, 0.01, 0.025]
    assert attributes(point.attributes)["http.route"] == "/api/messages"

    (line,) = lines
    assert (line["trace_id"], line["span_id"], line["request_id"]) == (
        trace_id,
        span_id,
        "request-1",
    )


def test_collector_gets_only_what_was_asked_for() -> None:
    with receiver() as received:
        work(
            "call()\ntelemetry.shutdown(10)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_METRICS_EXPORTER="none",
        )
    assert len(received.traces) == 1
    assert received.metrics == []
    assert received.logs == []


def test_unsampled_span_is_not_sent_and_has_its_trace_all_the_same() -> None:
    with receiver() as received:
        printed, lines = work(
            "print(call(), flush=True)\ntelemetry.shutdown(10)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="always_off",
        )
    assert received.traces == []
    assert lines[0]["trace_id"] == printed[0].split("-")[1]


def test_forked_process_sends_its_own_spans() -> None:
    with receiver() as received:
        work(
            "call()\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    call()\n"
            "    os._exit(0 if telemetry.shutdown(10) else 1)\n"
            "assert os.waitpid(child, 0)[1] == 0\n"
            "telemetry.shutdown(10)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="always_on",
        )
    spans = [
        span.span_id
        for request in received.traces
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    assert len(spans) == len(set(spans)) == 2


TIMED = """
began = time.perf_counter()
slowest = 0.0
for _ in range(3000):
    one = time.perf_counter()
    call()
    slowest = max(slowest, time.perf_counter() - one)
stopping = time.perf_counter()
flushed = telemetry.shutdown(0.5)
print(stopping - began, slowest, time.perf_counter() - stopping, flushed, flush=True)
"""


def assert_nobody_waited(endpoint: str) -> None:
    printed, lines = work(
        TIMED,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_TRACES_SAMPLER="always_on",
        OTEL_BSP_SCHEDULE_DELAY="10",
        OTEL_BLRP_SCHEDULE_DELAY="10",
        OTEL_METRIC_EXPORT_INTERVAL="10",
    )
    calls, slowest, stop, flushed = printed[0].split()
    assert float(calls) < 5
    assert float(slowest) < 0.5
    assert float(stop) < 1.5
    assert flushed == "False"
    others = [line for line in lines if line["event"] != "call"]
    complaints = [line for line in others if str(line.get("logger")).startswith("opentelemetry")]
    assert sum("export" in str(line["event"]) for line in complaints) <= 1
    assert all("exception" not in line for line in others)
    assert "telemetry_not_flushed" in [line["event"] for line in others]


def test_refusing_collector_costs_the_calls_nothing() -> None:
    assert_nobody_waited(f"http://127.0.0.1:{free_port()}")


def test_silent_collector_costs_the_calls_nothing() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        assert_nobody_waited(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_shutdown_returns_within_its_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        began = time.monotonic()
        printed, _ = work(
            "call()\nprint(telemetry.shutdown(0.2), flush=True)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            OTEL_TRACES_SAMPLER="always_on",
        )
    assert printed == ["False"]
    assert time.monotonic() - began < 8
