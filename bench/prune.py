"""Whether `madang prune` holds the recorder up.

Calls arrive at a steady rate and are recorded into a full history; first alone, then while the
oldest days are pruned. Compared are what the recorder gets done and how old the newest row is.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, timedelta

import msgspec

from madang.clock import utc_now
from measure.events import calls, paced
from measure.full_history import add_options, full_history
from measure.history import Lag, LagWatch
from measure.recording import Recording
from measure.results import Bench, Circumstances, Measurement
from measure.stand import Stand
from measure.tables import table
from measure.topic import in_real_time
from tests.services.errors import ServiceError
from tests.services.process import Process
from tests.services.stack import madang_command
from tests.services.waiting import wait_until

LAG_WANTED_SECONDS = 2.0
_KEPT_UP = 0.95
_START_SECONDS = 60
_PRUNE_SECONDS = 3600
_HOUR = timedelta(hours=1)


class Stretch(msgspec.Struct, frozen=True):
    """Some time of steady arrival."""

    name: str
    seconds: float
    recorded: int
    lag: Lag

    @property
    def per_second(self) -> float:
        """Calls recorded a second."""
        return self.recorded / self.seconds


class Result(Measurement, frozen=True, kw_only=True):
    """The recorder alone and beside the pruning."""

    settings: dict[str, str]
    rows_before: int
    pruned: int
    arriving_per_second: int
    alone: Stretch
    pruning: Stretch

    def faults(self) -> list[str]:
        """Nothing pruned, or a recorder that falls behind."""
        found = []
        if not self.pruned:
            found.append("nothing was pruned")
        if self.pruning.per_second < self.arriving_per_second * _KEPT_UP:
            found.append(f"{self.pruning.per_second:,.0f} recorded a second beside the pruning")
        if self.pruning.lag.worst_seconds >= LAG_WANTED_SECONDS:
            found.append(f"{self.pruning.lag.worst_seconds} s behind beside the pruning")
        return found


@contextmanager
def _arriving(stand: Stand, per_second: int) -> Iterator[Recording]:
    """Calls arrive and are recorded, until the end of the block."""
    recording = Recording(stand)
    ending = threading.Event()
    events = in_real_time(calls(paced(utc_now(), per_second), seed=5), ending)
    with recording.recorder(), ThreadPoolExecutor(1) as producer:
        producing = producer.submit(recording.produce, events)
        try:
            wait_until(lambda: recording.recorded() > per_second, _START_SECONDS, "first calls")
            wait_until(
                lambda: recording.in_topic() - recording.recorded() < per_second,
                _START_SECONDS,
                "the recorder to have caught up",
            )
            yield recording
        finally:
            ending.set()
        producing.result()
        wait_until(
            lambda: recording.recorded() >= recording.produced, _START_SECONDS, "the last calls"
        )


@contextmanager
def _stretch(name: str, recording: Recording, found: list[Stretch]) -> Iterator[None]:
    began, recorded = time.monotonic(), recording.recorded()
    watch = LagWatch(recording.history)
    yield
    lag = watch.stop()
    seconds = round(time.monotonic() - began, 3)
    found.append(Stretch(name, seconds, recording.recorded() - recorded, lag))


def _prune(recording: Recording, keep: timedelta) -> None:
    """Run `madang prune` to its end.

    Raises:
        ServiceError: it failed.
    """
    process = Process(
        "madang prune",
        [madang_command(), "prune", "--keep", f"{keep // _HOUR}h"],
        log=recording.directory / "prune.log",
        environment=recording.stack.environment,
    )
    process.start()
    try:
        if process.wait(_PRUNE_SECONDS):
            raise ServiceError(process.log_tail())
    finally:
        process.stop()


def _rows(stand: Stand) -> int:
    with stand.mariadb.cursor(stand.database) as cursor:
        cursor.execute("SELECT COUNT(*) FROM calls")
        (rows,) = cursor.fetchone() or (0,)
    return int(rows)


def _age_of_history(stand: Stand) -> timedelta:
    with stand.mariadb.cursor(stand.database) as cursor:
        cursor.execute("SELECT timestamp FROM calls ORDER BY id LIMIT 1")
        (oldest,) = cursor.fetchone() or (utc_now(),)
    age: timedelta = utc_now() - oldest.replace(tzinfo=UTC)
    return age


def measure(given: argparse.Namespace) -> Result:
    """Fill history where it is not full; record, and record beside the pruning."""
    stretches: list[Stretch] = []
    with full_history(given) as stand:
        found = Circumstances.now(stand)
        keep = _age_of_history(stand) - timedelta(days=given.days)
        rows_before = _rows(stand)
        with _arriving(stand, given.arriving) as recording:
            with _stretch("recorder alone", recording, stretches):
                time.sleep(given.seconds)
            with _stretch("beside `madang prune`", recording, stretches):
                _prune(recording, keep)
        pruned = rows_before + recording.produced - recording.history.rows()
    return Result(
        date=found.date,
        machine=found.machine,
        versions=found.versions,
        settings=found.settings,
        rows_before=rows_before,
        pruned=pruned,
        arriving_per_second=given.arriving,
        alone=stretches[0],
        pruning=stretches[1],
    )


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        f"{result.arriving_per_second:,} calls a second arrive, history of "
        f"{result.rows_before:,} rows, of which {result.pruned:,} are pruned"
    )
    rows = (
        [
            stretch.name,
            f"{stretch.seconds:.0f}",
            f"{stretch.per_second:,.0f}",
            f"{stretch.lag.median_seconds:.2f}",
            f"{stretch.lag.worst_seconds:.2f}",
        ]
        for stretch in (result.alone, result.pruning)
    )
    return "\n".join(
        [
            result.conditions(how, result.settings),
            table(("", "seconds", "recorded a second", "lag median s", "worst s"), rows),
            result.verdict("The recorder keeps up beside the pruning, less than 2 s behind."),
        ]
    )


BENCH = Bench("prune", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--days", type=float, default=1, help="of the oldest calls to prune")
    parser.add_argument("--arriving", type=int, default=2000, help="calls a second")
    parser.add_argument("--seconds", type=float, default=60, help="of the recorder alone")
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
