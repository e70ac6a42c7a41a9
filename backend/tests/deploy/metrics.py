"""The metrics of the processes under the names that Prometheus gives them.

https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

import re
from collections.abc import Iterator
from functools import cache

from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    Histogram as HistogramData,
)
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    Metric,
    Sum,
)
from opentelemetry.trace import NoOpTracer

from madang.telemetry import Telemetry
from madang.telemetry.process import FIGURE_METRICS

_UNITS = {"s": "seconds", "By": "bytes"}
# Prometheus' own, about the rules that fire.
_PROMETHEUS = frozenset({"ALERTS"})


@cache
def exported_names() -> frozenset[str]:
    """Every series' name, with the endings of histograms and counters."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    telemetry = Telemetry(NoOpTracer(), provider.get_meter("test"))
    telemetry.observe_figures(lambda: dict.fromkeys(FIGURE_METRICS, 1))
    telemetry.observe_record_lag(lambda: 1.0)
    for instrument in vars(telemetry).values():
        if isinstance(instrument, Counter):
            instrument.add(1)
        elif isinstance(instrument, Histogram):
            instrument.record(1)
    data = reader.get_metrics_data()
    provider.shutdown()
    assert data is not None
    return frozenset(
        name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for name in _names(metric)
    )


def named_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression asks for."""
    without_labels = re.sub(r'\{([^{}"]|"[^"]*")*\}|\b(by|without) *\([^)]*\)', " ", expression)
    words = re.findall(r"\b[A-Za-z_:][\w:]*\b(?! *\()", without_labels)
    return {word for word in words if "_" in word or word in _PROMETHEUS}


def unknown_in(expression: str) -> set[str]:
    """Those of them that nothing exports."""
    return named_in(expression) - exported_names() - _PROMETHEUS


def _names(metric: Metric) -> Iterator[str]:
    name, unit = metric.name.replace(".", "_"), _UNITS.get(metric.unit or "", "")
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    if isinstance(metric.data, HistogramData):
        yield from (f"{name}{ending}" for ending in ("_bucket", "_count", "_sum"))
    elif isinstance(metric.data, Sum) and metric.data.is_monotonic:
        yield f"{name}_total"
    else:
        yield name
