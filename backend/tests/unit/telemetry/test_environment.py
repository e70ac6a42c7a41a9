"""The OTEL_* variables."""

from collections.abc import Mapping

import pytest
from opentelemetry.sdk.trace import Tracer

import madang
from madang.errors import ConfigurationError
from madang.telemetry import is_sampled, parse_traceparent, traceparent_of
from madang.telemetry.environment import OtelSettings, Sampling, read_otel_settings
from madang.telemetry.providers import start
from tests.unit.telemetry.builders import SAMPLED, UNSAMPLED


def settings_of(environ: Mapping[str, str], ratio: float = 0.1) -> OtelSettings:
    return read_otel_settings(environ, default_ratio=ratio)


@pytest.mark.parametrize(
    ("environ", "sampling"),
    [
        ({}, Sampling("parentbased_traceidratio", 0.1)),
        ({"OTEL_TRACES_SAMPLER": " "}, Sampling("parentbased_traceidratio", 0.1)),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.5"}, Sampling("parentbased_traceidratio", 0.5)),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, Sampling("traceidratio", 1.0)),
        (
            {"OTEL_TRACES_SAMPLER": "TraceIdRatio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            Sampling("traceidratio", 0.0),
        ),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, Sampling("always_off", 1.0)),
    ],
)
def test_sampling_is_the_one_asked_for(environ: dict[str, str], sampling: Sampling) -> None:
    assert settings_of(environ).sampling == sampling


@pytest.mark.parametrize(
    ("environ", "root", "unsampled_parent", "sampled_parent"),
    [
        ({"OTEL_TRACES_SAMPLER": "always_on"}, True, True, True),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, False, False, False),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_on"}, True, False, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, False, False, True),
        ({"OTEL_TRACES_SAMPLER_ARG": "0"}, False, False, True),
        ({"OTEL_TRACES_SAMPLER_ARG": "1"}, True, False, True),
        ({"OTEL_TRACES_SAMPLER": "traceidratio"}, True, True, True),
    ],
)
def test_sampler_decides_as_the_standard_says(
    environ: dict[str, str], root: bool, unsampled_parent: bool, sampled_parent: bool
) -> None:
    tracer = start(settings_of(environ), "madang-test", "here").tracer
    decided = [
        is_sampled(traceparent_of(tracer.start_span("GET", context=parse_traceparent(parent))))
        for parent in ("", UNSAMPLED, SAMPLED)
    ]
    assert decided == [root, unsampled_parent, sampled_parent]


def test_resource_is_ours_and_the_environment_adds_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment=blue")
    tracer = start(settings_of({}), "madang-api", "pod-1").tracer
    assert isinstance(tracer, Tracer)
    found = tracer.resource.attributes
    assert (found["service.name"], found["service.instance.id"]) == ("madang-api", "pod-1")
    assert found["service.version"] == madang.__version__
    assert found["deployment"] == "blue"


def test_signals_go_where_the_endpoints_say() -> None:
    nothing = settings_of({})
    assert (nothing.traces, nothing.metrics, nothing.logs) == (None, None, None)
    common = settings_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"})
    assert common.traces is not None
    assert common.traces.url == "http://collector:4318/v1/traces"
    assert common.traces.timeout_seconds == 10
    assert common.metrics is not None
    assert common.metrics.url == "http://collector:4318/v1/metrics"
    assert common.logs is None


def test_signal_variables_win_over_the_common_ones() -> None:
    own = settings_of(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs.example/in",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3000",
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "1500",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "otlp",
        }
    )
    assert own.traces is None
    assert own.metrics is not None
    assert own.metrics.timeout_seconds == 3
    assert own.logs is not None
    assert (own.logs.url, own.logs.timeout_seconds) == ("https://logs.example/in", 1.5)


def test_disabled_sdk_sends_nothing() -> None:
    settings = settings_of(
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    )
    assert settings.disabled
    assert settings.traces is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_SDK_DISABLED", "maybe"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ("OTEL_TRACES_SAMPLER_ARG", "half"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-3"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team"),
        ("OTEL_RESOURCE_ATTRIBUTES", "=blue"),
    ],
)
def test_wrong_variable_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        settings_of({name: value})
    assert name in refused.value.detail
    assert "\n" not in refused.value.detail
