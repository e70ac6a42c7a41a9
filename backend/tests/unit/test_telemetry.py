"""Log lines, trace context as text, and the OTEL_* variables."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import INVALID_SPAN, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import SecretStr

import madang
from madang.errors import ConfigurationError
from madang.telemetry import (
    Telemetry,
    bind_request_id,
    current_traceparent,
    is_sampled,
    parse_traceparent,
    traceparent_of,
)
from madang.telemetry.environment import OtelSettings, Sampling, read_otel_settings
from madang.telemetry.lines import ConsoleLines, Fields, JsonLines, encode_line
from madang.telemetry.logs import SILENCE_SECONDS, ExporterSilence
from madang.telemetry.providers import start

NOON = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-00"

to_json = JsonLines(Fields("madang-test", lambda: NOON))


def line_of(event: str, level: str = "info", **values: object) -> dict[str, object]:
    """The line of one event, read back."""
    return read_one(to_json(None, level, {"event": event, **values}))


def read_one(written: bytes) -> dict[str, object]:
    """The only line in `written`."""
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    read = json.loads(written)
    assert isinstance(read, dict)
    return read


def in_a_process(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `code` after configure() in a process of its own, which keeps the logging of this one."""
    start = "import structlog, logging\nfrom madang.telemetry import *\n"
    return subprocess.run(
        [sys.executable, "-c", start + code],
        env={"PYTHONPATH": ":".join(sys.path), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """The lines that a process wrote, all of them JSON."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [read_one(line.encode()) for line in done.stdout.splitlines(keepends=True)]


def test_line_has_the_fields_in_order() -> None:
    assert list(line_of("started", port=5000).items()) == [
        ("timestamp", "2026-03-01T12:00:00.000007Z"),
        ("level", "info"),
        ("event", "started"),
        ("service_name", "madang-test"),
        ("port", 5000),
    ]


def test_line_names_the_current_span() -> None:
    span = TracerProvider(ALWAYS_OFF).get_tracer("test").start_span("GET")
    with use_span(span):
        line = line_of("inside")
    assert traceparent_of(span) == f"00-{line['trace_id']}-{line['span_id']}-02"
    assert "trace_id" not in line_of("outside")


def test_line_has_the_bound_request_id() -> None:
    bind_request_id("abc-1")
    try:
        assert line_of("inside")["request_id"] == "abc-1"
    finally:
        bind_request_id("")
    assert "request_id" not in line_of("outside")


def test_line_of_an_exception_has_its_traceback() -> None:
    try:
        int("no such\nnumber")
    except ValueError as error:
        given = line_of("failed", "error", exc_info=error)
        in_hand = line_of("failed", "error", exc_info=True)
    text = str(given["exception"])
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("with base 10: 'no such\\nnumber'")
    assert in_hand == given
    assert "exception" not in line_of("fine", exc_info=False)


@given(
    event=st.text(),
    values=st.dictionaries(
        st.text().filter(lambda name: name != "exc_info"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        ),
    ),
)
def test_line_is_one_line_whatever_the_values_are(event: str, values: dict[str, object]) -> None:
    read_one(to_json(None, "info", {**values, "event": event}))


class Hostile:
    """A value that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("not today")


def test_line_keeps_going_with_values_json_does_not_know() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    line = line_of("odd", hostile=Hostile(), cycle=cycle, lone="\ud800", number=2**200, calls=3)
    assert line["hostile"] == "<Hostile>"
    assert line["lone"] == "\ud800"
    assert line["calls"] == 3
    assert line["number"] == 2**200


def test_line_hides_secrets() -> None:
    line = line_of("login", password="hunter22", key=SecretStr("hunter22"), url="kept")
    assert line["password"] == "[hidden]"
    assert "hunter22" not in json.dumps(line)
    failed = line_of("no_database", reason="cannot reach mariadb://app:hunter22@db:3306/board")
    assert failed["reason"] == "cannot reach mariadb://app:***@db:3306/board"
    assert line_of("kept", url="http://h:80/a@b")["url"] == "http://h:80/a@b"


def test_console_line_is_for_people() -> None:
    render = ConsoleLines(Fields("madang-test", lambda: NOON), colors=False)
    written = render(None, "warning", {"event": "slow", "token": "abc", "lone": "\ud800"}).decode()
    assert written.startswith("12:00:00Z [warning")
    assert "slow" in written
    assert "abc" not in written


def test_encode_line_ends_with_its_only_newline() -> None:
    assert encode_line({"event": "a\nb\r\u2028"}).count(b"\n") == 1


def test_configured_process_writes_json_lines() -> None:
    done = in_a_process(
        "import warnings\n"
        "telemetry = configure('madang-api', 'pod-1')\n"
        "log = structlog.get_logger('a')\n"
        "log.debug('hidden')\n"
        "log.info('call', n=1)\n"
        "logging.getLogger('library').info('hidden')\n"
        "logging.getLogger('library').warning('held\\nup %s', 'x')\n"
        "warnings.warn('careful')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: log.exception('broke')\n"
        "telemetry.shutdown()\n"
    )
    called, held, warned, broke = lines_of(done)
    assert (called["level"], called["event"], called["n"]) == ("info", "call", 1)
    assert (held["level"], held["event"], held["logger"]) == ("warning", "held\nup x", "library")
    assert "careful" in str(warned["event"])
    assert (broke["level"], broke["event"]) == ("error", "broke")
    assert "ZeroDivisionError" in str(broke["exception"])


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_configured_process_keeps_to_the_level(level: str, written: list[str]) -> None:
    done = in_a_process(
        f"configure('madang-api', 'pod-1', log_level={level!r})\n"
        "for level in ('debug', 'info', 'warning', 'error'):\n"
        "    getattr(structlog.get_logger(), level)('said')\n"
    )
    assert [line["level"] for line in lines_of(done)] == written


def test_configured_process_hears_the_servers() -> None:
    done = in_a_process(
        "configure('madang-api', 'pod-1')\n"
        "import granian.log\n"
        "granian.log.configure_logging(granian.log.LogLevels.info, granian_logging())\n"
        "logging.getLogger('_granian').info('listening')\n"
        "logging.getLogger('granian.access').info('hidden')\n"
        "logging.getLogger('uvicorn.error').info('started')\n"
        "logging.getLogger('uvicorn.access').info('hidden')\n"
    )
    assert [line["event"] for line in lines_of(done)] == ["listening", "started"]


def test_console_shows_no_line_for_each_call() -> None:
    done = in_a_process(
        "configure('madang', 'host', embedded=True, console=True)\n"
        "structlog.get_logger().info(CALL_LINE, n=1)\n"
        "structlog.get_logger().info('started')\n",
        NO_COLOR="1",
    )
    assert done.stdout.count("\n") == 1
    assert "started" in done.stdout


def test_embedded_without_a_terminal_writes_json() -> None:
    done = in_a_process(
        "configure('madang', 'host', embedded=True)\nstructlog.get_logger().info(CALL_LINE)\n"
    )
    assert [line["event"] for line in lines_of(done)] == ["call"]


def test_log_line_survives_a_reader_that_has_gone() -> None:
    done = in_a_process(
        "import os, sys\n"
        "configure('madang-api', 'pod-1')\n"
        "read, write = os.pipe()\n"
        "os.dup2(write, 1)\n"
        "os.close(read)\n"
        "structlog.get_logger().info('into the void')\n"
        "print('alive', file=sys.stderr)\n"
    )
    assert done.stderr == "alive\n"


def test_every_span_has_a_trace_unless_the_sdk_is_disabled() -> None:
    code = (
        "telemetry = configure('madang-api', 'pod-1')\n"
        "print(traceparent_of(telemetry.tracer.start_span('GET')))\n"
    )
    assert parse_traceparent(in_a_process(code).stdout.strip()) is not None
    assert in_a_process(code, OTEL_SDK_DISABLED="true").stdout == "\n"


def test_importing_connects_nothing() -> None:
    done = in_a_process(
        "import threading\n"
        "print(threading.active_count(), logging.getLogger().handlers,"
        " structlog.is_configured())\n",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    assert done.stdout == "1 [] False\n"


def test_traceparent_comes_back_as_it_was_written() -> None:
    for text in (SAMPLED, UNSAMPLED):
        context = parse_traceparent(text)
        assert traceparent_of(get_current_span(context)) == text
        assert get_current_span(context).get_span_context().is_remote
    assert is_sampled(SAMPLED)
    assert not is_sampled(UNSAMPLED)


def test_traceparent_of_no_span_is_empty() -> None:
    assert traceparent_of(INVALID_SPAN) == ""
    assert current_traceparent() == ""


def test_child_of_a_parsed_traceparent_continues_its_trace() -> None:
    tracer = TracerProvider(ALWAYS_ON).get_tracer("test")
    span = tracer.start_span("ship", context=parse_traceparent(SAMPLED))
    with use_span(span, end_on_exit=True):
        assert current_traceparent().startswith(f"00-{TRACE_ID}-")
        assert is_sampled(current_traceparent())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        SAMPLED.upper(),
        SAMPLED + "-extra",
        SAMPLED + "\n",
        SAMPLED[:-1],
        "ff" + SAMPLED[2:],
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        SAMPLED.replace("-01", "-0g"),
        "01" + SAMPLED[2:] + "extra",
        "01" + SAMPLED[2:] + "-" + "x" * 512,
    ],
)
def test_traceparent_that_is_none_is_refused(text: str) -> None:
    assert parse_traceparent(text) is None
    assert not is_sampled(text)


hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=33)
almost = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "cc", "ff", "0"]),
    st.sampled_from([TRACE_ID, "0" * 32]) | hexadecimal,
    st.sampled_from([SPAN_ID, "0" * 16]) | hexadecimal,
    st.sampled_from(["00", "01", "02", "03", "ff", "1"]),
    st.sampled_from(["", "-", "-more", "more"]),
)


@given(text=almost | st.text())
def test_traceparent_is_read_as_the_standard_propagator_reads_it(text: str) -> None:
    expected = TraceContextTextMapPropagator().extract({"traceparent": text})
    span = get_current_span(expected).get_span_context()
    found = parse_traceparent(text.strip(" \t"))
    if found is None:
        assert not span.is_valid
        return
    ours = get_current_span(found).get_span_context()
    assert (ours.trace_id, ours.span_id) == (span.trace_id, span.span_id)
    assert ours.trace_flags.sampled == span.trace_flags.sampled == is_sampled(text.strip(" \t"))


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


def test_embedded_samples_every_trace_and_the_services_a_tenth() -> None:
    code = (
        "telemetry = configure('madang', 'host', embedded=%s)\n"
        "spans = [telemetry.tracer.start_span('GET') for _ in range(1000)]\n"
        "print(sum(is_sampled(traceparent_of(span)) for span in spans))\n"
    )
    assert int(in_a_process(code % True).stdout) == 1000
    assert 30 < int(in_a_process(code % False).stdout) < 250


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


def test_wrong_value_that_only_the_sdk_knows_is_one_line() -> None:
    done = in_a_process(
        "from madang.errors import ConfigurationError\n"
        "try: configure('madang-api', 'pod-1')\n"
        "except ConfigurationError as error: print(error.detail)\n",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_BSP_MAX_QUEUE_SIZE="100",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="200",
    )
    assert done.stdout.startswith("OTEL_*: max_export_batch_size must be")
    assert done.stdout.count("\n") == 1


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
