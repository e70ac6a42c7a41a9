"""A process after configure(): its lines, its spans, and what it refuses."""

import pytest

from madang.telemetry import parse_traceparent
from tests.unit.telemetry.builders import in_a_process, lines_of


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


@pytest.mark.parametrize(("exports", "alone"), [(True, False), (False, True)])
def test_supervisor_has_no_thread_that_exports(*, exports: bool, alone: bool) -> None:
    done = in_a_process(
        f"configure('madang-api', 'pod-1', exports={exports})\n"
        "import threading\n"
        "print(threading.active_count() == 1, flush=True)\n"
        "os._exit(0)\n",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_LOGS_EXPORTER="otlp",
    )
    assert done.stdout == f"{alone}\n"


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


def test_embedded_samples_every_trace_and_the_services_a_tenth() -> None:
    code = (
        "telemetry = configure('madang', 'host', embedded=%s)\n"
        "spans = [telemetry.tracer.start_span('GET') for _ in range(1000)]\n"
        "print(sum(is_sampled(traceparent_of(span)) for span in spans))\n"
    )
    assert int(in_a_process(code % True).stdout) == 1000
    assert 30 < int(in_a_process(code % False).stdout) < 250


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


def test_importing_connects_nothing() -> None:
    done = in_a_process(
        "import threading\n"
        "print(threading.active_count(), logging.getLogger().handlers,"
        " structlog.is_configured())\n",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    assert done.stdout == "1 [] False\n"
