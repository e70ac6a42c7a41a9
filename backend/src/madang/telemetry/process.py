"""The telemetry of one process: its logs, its tracer, its metrics, and how they end."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.trace import Tracer

from madang.clock import Clock, utc_now
from madang.errors import ConfigurationError
from madang.telemetry.environment import read_otel_settings
from madang.telemetry.lines import STANDARD_OUTPUT, ConsoleLines, Fields, JsonLines
from madang.telemetry.logs import connect_logs

log = structlog.get_logger(__name__)

SAMPLED = 0.1
SAMPLED_EMBEDDED = 1.0

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_APPEND_SECONDS = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 1)


Figures = Mapping[str, int | float | str | None]
"""What a process says of itself, by name; a name ends in its unit where it has one."""

FIGURE_METRICS = {
    "spool_bytes": ("madang.spool.bytes", "By", "What the segments of the spool occupy"),
    "unsent_bytes": (
        "madang.ship.backlog.bytes",
        "By",
        "What the spool holds and Kafka has not acknowledged",
    ),
    "oldest_unsent_seconds": (
        "madang.ship.oldest.age",
        "s",
        "The age of the oldest call that Kafka has not acknowledged; 0 where there is none",
    ),
    "refused": ("madang.ship.refused", "{call}", "Call events kept aside: Kafka refused them"),
    "torn": ("madang.spool.torn", "{file}", "Records cut short by the end of their writer"),
    "unreadable": ("madang.spool.unreadable", "{file}", "Files in the spool that are no segment"),
    "lag_messages": (
        "madang.record.lag.messages",
        "{message}",
        "Messages of the topic that are not in history yet, over all partitions",
    ),
    "lost": (
        "madang.record.lost",
        "{message}",
        "Messages that the topic had dropped before they could be recorded, ever",
    ),
    "streams": ("madang.live.streams", "{stream}", "Open event streams"),
}
"""The figures that are metrics too: name, unit and description of each."""


class Telemetry:
    """The tracer, the meter and the instruments of one process.

    Without an exporter the instruments do nothing; spans have their ids all the same.

    Args:
        tracer: starts spans.
        meter: makes the instruments.
        finish: send the rest and end, called side by side by `shutdown`.
        give_up: end a `finish` that takes too long.
    """

    def __init__(
        self,
        tracer: Tracer,
        meter: Meter,
        *,
        finish: Sequence[Callable[[], None]] = (),
        give_up: Sequence[Callable[[], None]] = (),
    ) -> None:
        self.tracer = tracer
        self.meter = meter
        self._finish = finish
        self._give_up = give_up
        self._stopped = False
        self.request_duration = meter.create_histogram(
            "http.server.request.duration",
            "s",
            "How long requests take, by http.request.method, http.route and "
            "http.response.status_code",
            explicit_bucket_boundaries_advisory=_REQUEST_SECONDS,
        )
        self.spool_append_duration = meter.create_histogram(
            "madang.spool.append.duration",
            "s",
            "How long appending a call event to the spool takes",
            explicit_bucket_boundaries_advisory=_APPEND_SECONDS,
        )
        self.calls_unrecorded = meter.create_counter(
            "madang.calls.unrecorded", "{call}", "Calls answered that could not be recorded"
        )
        self.ship_sent = meter.create_counter(
            "madang.ship.sent", "{call}", "Call events that Kafka has acknowledged"
        )
        self.record_recorded = meter.create_counter(
            "madang.record.recorded", "{call}", "Call events written into history"
        )
        self.record_rejected = meter.create_counter(
            "madang.record.rejected", "{call}", "Call events kept aside as malformed"
        )

    def observe_figures(self, figures: Callable[[], Figures]) -> None:
        """Let `figures` say, whenever metrics are collected, what was measured last.

        Each name of `FIGURE_METRICS` is a gauge; one without a number is not observed.
        """
        for figure, (name, unit, description) in FIGURE_METRICS.items():
            read = partial(_number_of, figures, figure)
            self.meter.create_observable_gauge(name, [read], unit, description)

    def observe_record_lag(self, read_seconds: Callable[[], float]) -> None:
        """Let `read_seconds` say, whenever metrics are collected, how far history is behind."""
        self.meter.create_observable_gauge(
            "madang.record.lag",
            [_observed(read_seconds)],
            "s",
            "The age of the newest call event when it was written into history",
        )

    def shutdown(self, timeout_seconds: float = 5.0) -> bool:
        """Send what is held back and end; every process calls it once before it exits.

        Returns after `timeout_seconds` at the latest, False when something was left unsent.
        """
        if self._stopped:
            return True
        self._stopped = True
        deadline = time.monotonic() + timeout_seconds
        threads = [
            threading.Thread(target=finish, name="telemetry-shutdown", daemon=True)
            for finish in self._finish
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if not any(thread.is_alive() for thread in threads):
            return True
        log.warning("telemetry_not_flushed", timeout_seconds=timeout_seconds)
        for give_up in self._give_up:
            give_up()
        return False


def configure(
    service_name: str,
    instance: str,
    *,
    embedded: bool = False,
    exports: bool = True,
    log_level: str = "info",
    console: bool | None = None,
    clock: Clock = utc_now,
) -> Telemetry:
    """Connect the logs and start the telemetry of this process, as `OTEL_*` asks for.

    Called once in each process, in a worker after it has been started. The given service name and
    instance stand in lines, spans and metrics whatever OTEL_SERVICE_NAME says, because the call
    events carry them too; OTEL_RESOURCE_ATTRIBUTES adds to them.

    Args:
        service_name: such as `madang-api`.
        instance: the pod or host, with the worker where it has several.
        embedded: everything in one process: all traces are sampled by default.
        exports: False for a supervisor that forks its workers. A thread that exports is not copied
            with them, and a lock that it holds in that moment stays locked in the worker for ever.
        log_level: debug, info, warning or error.
        console: lines for a person instead of JSON, and none for each call; by default where
            `embedded` writes to a terminal.
        clock: what the lines' timestamps come from.

    Raises:
        ConfigurationError: an `OTEL_*` value is wrong.
    """
    ratio = SAMPLED_EMBEDDED if embedded else SAMPLED
    settings = read_otel_settings(os.environ, default_ratio=ratio)
    if not exports:
        settings = replace(settings, traces=None, metrics=None, logs=None)
    fields = Fields(service_name, clock)
    if console is None:
        console = embedded and os.isatty(STANDARD_OUTPUT)
    render = (
        ConsoleLines(fields, colors="NO_COLOR" not in os.environ) if console else JsonLines(fields)
    )
    connect_logs(render, level=log_level, with_calls=not console)
    from madang.telemetry import providers  # noqa: PLC0415  # the SDK reads OTEL_* when imported

    try:
        started = providers.start(settings, service_name, instance)
    except (ValueError, RuntimeError) as error:  # what only the SDK knows to be wrong
        raise ConfigurationError(f"OTEL_*: {' '.join(str(error).split())}") from None
    fields.export = started.export_line
    return Telemetry(started.tracer, started.meter, finish=started.finish, give_up=started.give_up)


def _number_of(
    figures: Callable[[], Figures], figure: str, _options: CallbackOptions
) -> Iterable[Observation]:
    value = figures().get(figure)
    return [Observation(value)] if isinstance(value, int | float) else []


def _observed(
    read: Callable[[], float],
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def callback(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(read())]

    return callback
