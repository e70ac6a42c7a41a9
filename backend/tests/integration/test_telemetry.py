"""A process with telemetry, and a real OTLP receiver, none, or one that never answers."""

import json
import socket
import subprocess
import sys
import time

import pytest

from tests.services.otlp import attribute, otlp_receiver
from tests.services.ports import free_port

pytestmark = pytest.mark.integration

WORK = """
import os, sys, time
import structlog
from opentelemetry.trace import SpanKind, use_span
from madang.telemetry import *

telemetry = configure("madang-api", "pod-1", console=False)
log = structlog.get_logger("test")
telemetry.observe_figures(lambda: {"unsent_bytes": 4096, "lag_messages": None, "sent": "text"})
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


def test_collector_gets_traces_metrics_and_logs_that_belong_together() -> None:
    with otlp_receiver() as received:
        printed, lines = work(
            "print(call(), flush=True)\nprint(telemetry.shutdown(10), flush=True)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_LOGS_EXPORTER="otlp",
            OTEL_TRACES_SAMPLER="always_on",
        )
    traceparent, flushed = printed
    _, trace_id, span_id, _ = traceparent.split("-")
    assert flushed == "True"

    (span,) = received.spans
    assert (span.service, span.span.name) == ("madang-api", "GET")
    assert (span.trace_id, span.span.span_id.hex()) == (trace_id, span_id)

    (log,) = received.logs
    assert log.service == "madang-api"
    assert (log.record.trace_id.hex(), log.record.span_id.hex()) == (trace_id, span_id)
    assert (log.record.body.string_value, log.record.severity_text) == ("call", "INFO")
    assert attribute(log.record.attributes, "request_id") == "request-1"
    assert attribute(log.record.attributes, "status") == 200
    assert attribute(log.record.attributes, "lone") == "\\ud800"

    (line,) = lines
    assert [line[name] for name in ("trace_id", "span_id", "request_id")] == [
        trace_id,
        span_id,
        "request-1",
    ]


def test_collector_gets_the_metrics_under_their_standard_names() -> None:
    with otlp_receiver() as received:
        work("call()\ntelemetry.shutdown(10)\n", OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint)
    metrics = {received.metric.name: received.metric for received in received.metrics}
    assert {name: metric.unit for name, metric in metrics.items()} == {
        "http.server.request.duration": "s",
        "madang.spool.append.duration": "s",
        "madang.ship.sent": "{call}",
        "madang.ship.backlog.bytes": "By",
        "madang.record.lag": "s",
    }
    point = metrics["http.server.request.duration"].histogram.data_points[0]
    assert point.count == 1
    assert list(point.explicit_bounds)[:3] == [0.005, 0.01, 0.025]
    assert attribute(point.attributes, "http.route") == "/api/messages"
    assert metrics["madang.ship.backlog.bytes"].gauge.data_points[0].as_int == 4096
    assert metrics["madang.record.lag"].gauge.data_points[0].as_double == 0.25


def test_collector_gets_only_what_was_asked_for() -> None:
    with otlp_receiver() as received:
        work(
            "call()\ntelemetry.shutdown(10)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="always_on",
            OTEL_METRICS_EXPORTER="none",
        )
    assert len(received.spans) == 1
    assert received.metrics == []
    assert received.logs == []


def test_unsampled_span_is_not_sent_and_has_its_trace_all_the_same() -> None:
    with otlp_receiver() as received:
        printed, lines = work(
            "print(call(), flush=True)\ntelemetry.shutdown(10)\n",
            OTEL_EXPORTER_OTLP_ENDPOINT=received.endpoint,
            OTEL_TRACES_SAMPLER="always_off",
        )
    assert received.spans == []
    assert lines[0]["trace_id"] == printed[0].split("-")[1]


def test_forked_process_sends_its_own_spans() -> None:
    with otlp_receiver() as received:
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
    sent = [span.span.span_id for span in received.spans]
    assert len(sent) == len(set(sent)) == 2


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
