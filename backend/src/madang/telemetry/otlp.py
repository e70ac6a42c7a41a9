"""The OTLP/HTTP exporters. Imported only by a process that exports: they are slow to load."""

import time
from collections.abc import Callable

from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.context import get_current
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from madang.telemetry.environment import Destination
from madang.telemetry.lines import Line, as_text

_SEVERITIES = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
_OWN_FIELDS = frozenset({"timestamp", "level", "event", "service_name", "trace_id", "span_id"})


def span_exporter(to: Destination) -> OTLPSpanExporter:
    """Sends spans."""
    return OTLPSpanExporter(to.url, timeout=to.timeout_seconds)


def metric_exporter(to: Destination) -> OTLPMetricExporter:
    """Sends metrics."""
    return OTLPMetricExporter(to.url, timeout=to.timeout_seconds)


def log_exporter(to: Destination) -> OTLPLogExporter:
    """Sends log records."""
    return OTLPLogExporter(to.url, timeout=to.timeout_seconds)


def span_processor(exporter: OTLPSpanExporter) -> BatchSpanProcessor:
    """Collects spans and sends them from a thread of its own."""
    return BatchSpanProcessor(exporter)


def meter_provider(exporter: OTLPMetricExporter, resource: Resource) -> MeterProvider:
    """Collects measurements and sends them every OTEL_METRIC_EXPORT_INTERVAL."""
    reader = PeriodicExportingMetricReader(exporter)
    return MeterProvider([reader], resource, shutdown_on_exit=False)


def logger_provider(exporter: OTLPLogExporter, resource: Resource) -> LoggerProvider:
    """Collects log records and sends them from a thread of its own."""
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


def line_exporter(logger: Logger) -> Callable[[Line], None]:
    """What sends a log line as a log record of the current span.

    The SDK's own lines are left out: one about a failed export would only fail again.
    """

    def export(line: Line) -> None:
        if as_text(line.get("logger", "")).startswith("opentelemetry"):
            return
        level = as_text(line["level"])
        now_ns = time.time_ns()
        logger.emit(
            timestamp=now_ns,
            observed_timestamp=now_ns,
            context=get_current(),
            severity_number=_SEVERITIES.get(level, SeverityNumber.UNSPECIFIED),
            severity_text=level.upper(),
            body=_text(line["event"]),
            attributes={
                "exception.stacktrace" if key == "exception" else key: _attribute(value)
                for key, value in line.items()
                if value is not None and key not in _OWN_FIELDS
            },
        )

    return export


def _attribute(value: object) -> str | bool | int | float:
    return value if isinstance(value, bool | int | float) else _text(value)


def _text(value: object) -> str:
    """As UTF-8 that protobuf takes: one lone surrogate would cost the whole batch."""
    return as_text(value).encode("utf-8", "backslashreplace").decode()
