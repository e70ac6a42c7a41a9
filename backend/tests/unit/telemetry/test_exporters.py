"""Exporters that fail, or are not there."""

import logging
from collections.abc import Callable

from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from madang.telemetry import Telemetry
from madang.telemetry.logs import SILENCE_SECONDS, ExporterSilence


def record_of(name: str, message: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, None, None)


def silence_at(now: list[float]) -> Callable[[logging.LogRecord], bool]:
    return ExporterSilence(lambda: now[0]).filter


def test_exporters_complain_once_a_minute() -> None:
    now = [1000.0]
    passes = silence_at(now)
    traces = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    metrics = "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    assert passes(record_of(traces, "refused"))
    assert not passes(record_of(metrics, "refused"))
    assert passes(record_of("madang", "anything"))
    assert passes(record_of("opentelemetry.sdk.trace", "something else"))
    now[0] += SILENCE_SECONDS
    assert passes(record_of(metrics, "still refused"))


def test_exporter_complaint_has_no_traceback() -> None:
    record = record_of("opentelemetry.sdk._shared_internal", "Exception while exporting Span.")
    record.exc_info = (OSError, OSError("no route"), None)
    assert silence_at([0.0])(record)
    assert not logging.Formatter().format(record).count("\n")
    assert record.getMessage() == "Exception while exporting Span. OSError('no route')"


def test_telemetry_without_an_exporter_takes_everything() -> None:
    telemetry = Telemetry(TracerProvider(ALWAYS_OFF).get_tracer("test"), NoOpMeter("test"))
    telemetry.request_duration.record(0.1, {"http.route": "/api/messages"})
    telemetry.spool_append_duration.record(0.0001)
    telemetry.calls_unrecorded.add(1)
    telemetry.observe_figures(lambda: {"unsent_bytes": 1})
    telemetry.observe_record_lag(lambda: 0.5)
    assert telemetry.shutdown()
    assert telemetry.shutdown()
