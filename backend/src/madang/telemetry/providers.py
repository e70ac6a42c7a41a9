"""Starts the OpenTelemetry SDK. Imported only by `configure`, after `OTEL_*` has been checked."""

from collections.abc import Callable
from dataclasses import dataclass, field

from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import Tracer

from madang import __version__
from madang.telemetry.environment import OtelSettings, Sampling
from madang.telemetry.lines import Line

SCOPE = "madang"


@dataclass(slots=True)
class Started:
    """The SDK at work.

    `finish` holds what sends the rest and ends, `give_up` what ends a sending that takes too long,
    and `export_line` sends a log line where logs are exported.
    """

    tracer: Tracer
    meter: Meter
    finish: list[Callable[[], None]] = field(default_factory=list)
    give_up: list[Callable[[], None]] = field(default_factory=list)
    export_line: Callable[[Line], None] | None = None


def start(settings: OtelSettings, service_name: str, instance: str) -> Started:
    """Start tracing, and the export of each signal that has a destination.

    Raises:
        ValueError, RuntimeError: the SDK does not accept a variable.
    """
    resource = Resource.create(
        {
            "service.name": service_name,
            "service.instance.id": instance,
            "service.version": __version__,
        }
    )
    spans = TracerProvider(_sampler(settings.sampling), resource, shutdown_on_exit=False)
    started = Started(spans.get_tracer(SCOPE, __version__), NoOpMeter(SCOPE), [spans.shutdown])
    if settings.traces or settings.metrics or settings.logs:
        _export(started, settings, spans, resource)
    return started


def _sampler(sampling: Sampling) -> Sampler:
    kind = sampling.sampler.removeprefix("parentbased_")
    fixed = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF}
    root = fixed.get(kind) or TraceIdRatioBased(sampling.ratio)
    return root if kind == sampling.sampler else ParentBased(root)


def _export(
    started: Started, settings: OtelSettings, spans: TracerProvider, resource: Resource
) -> None:
    from madang.telemetry import otlp  # noqa: PLC0415  # slow to load, and seldom needed

    if settings.traces:
        span_exporter = otlp.span_exporter(settings.traces)
        spans.add_span_processor(otlp.span_processor(span_exporter))
        started.give_up.append(span_exporter.shutdown)
    if settings.metrics:
        metric_exporter = otlp.metric_exporter(settings.metrics)
        metrics = otlp.meter_provider(metric_exporter, resource)
        started.meter = metrics.get_meter(SCOPE, __version__)
        started.finish.append(metrics.shutdown)
        started.give_up.append(metric_exporter.shutdown)
    if settings.logs:
        log_exporter = otlp.log_exporter(settings.logs)
        logs = otlp.logger_provider(log_exporter, resource)
        started.export_line = otlp.line_exporter(logs.get_logger(SCOPE, __version__))
        started.finish.append(logs.shutdown)
        started.give_up.append(log_exporter.shutdown)
