"""The foundation bench: what the API answers over real services, with its call log and without.

Starts MariaDB (durable), Redis, Kafka and all of Madang on free ports in a temporary directory,
loads it with wrk, and writes the result as JSON and into the tables of README.md here and in the
repository's README files. Ends with 1 where an answer failed, a call is missing from history, or a
target is missed.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from measure import REPOSITORY
from measure.foundation import Foundation, Parameters, Run
from measure.foundation_tables import full_report, small_table
from measure.history import History, Lag, LagWatch, Ledger, Recorded
from measure.latency import percentile_ms
from measure.results import Bench, Circumstances
from measure.stand import Mode, Running, Stand, madang, register, services
from measure.tables import put_between_marks
from measure.usage import Meter
from measure.wrk import Target, drive
from tests.services.workspace import temporary_directory

WORKERS, THREADS = 2, 4
"""The defaults of `madang api`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request to repeat, straight at the API or through nginx."""

    name: str
    method: str
    path: str
    through_web: bool = False


CASES = (
    Case("POST /api/messages", "POST", "/api/messages"),
    Case("GET /api/messages?limit=10", "GET", "/api/messages?limit=10"),
    Case("GET /api/logs/kafka", "GET", "/api/logs/kafka"),
    Case("GET /api/messages?limit=10 through nginx", "GET", "/api/messages?limit=10", True),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    seconds: float
    rounds: int
    warm_up_seconds: float
    connections: int
    cases: tuple[Case, ...]


class Rounds:
    """Runs all cases in one mode after the other, round by round, so that drift shows."""

    def __init__(self, options: Options, stand: Stand) -> None:
        self._options = options
        self._stand = stand
        self._ledger = Ledger()
        self._cookie = ""
        self._own_calls = 0

    def runs(self) -> Iterator[Run]:
        """Measure."""
        for number in range(1, self._options.rounds + 1):
            for mode in Mode:
                with madang(self._stand, mode) as running:
                    yield from self._round(running, mode, number)

    def _round(self, running: Running, mode: Mode, number: int) -> Iterator[Run]:
        if not self._cookie:
            self._cookie = register(running.api_port)
            self._own_calls += 1
        for case in self._options.cases:
            port = running.web_port if case.through_web else running.api_port
            if port is not None:
                target = Target(port, case.method, case.path, self._cookie)
                yield self._run(running, target, case.name, mode, number)

    def _run(self, running: Running, target: Target, case: str, mode: Mode, number: int) -> Run:
        options = self._options
        connections, seconds = options.connections, options.seconds / options.rounds
        warm_up = drive(target, connections=connections, seconds=options.warm_up_seconds)
        watch = None if running.history is None else LagWatch(running.history)
        meter = Meter(running.roles)
        answers = drive(target, connections=connections, seconds=seconds)
        lag = None if watch is None else watch.stop()
        uses, other_cpu_seconds = meter.read()
        return Run(
            case,
            mode,
            number,
            answers.requests,
            round(answers.seconds, 3),
            answers.refused + warm_up.refused,
            answers.broken + warm_up.broken,
            answers.latencies,
            uses,
            other_cpu_seconds,
            self._recorded(running.history, warm_up.requests + answers.requests, lag),
        )

    def _recorded(self, history: History | None, answered: int, lag: Lag | None) -> Recorded | None:
        if history is None or lag is None:
            return None
        answered, self._own_calls = answered + self._own_calls, 0
        dropped = 2 * self._options.connections  # at the end of the warm-up, and of the run
        return self._ledger.balance(history, answered, dropped, lag)


def measure(options: Options) -> Foundation:
    """Start everything, run the cases, stop everything."""
    with temporary_directory() as directory, services(directory) as stand:
        found = Circumstances.now(stand, "nginx", "wrk")
        runs = []
        for run in Rounds(options, stand).runs():
            runs.append(run)
            print(line(run), flush=True)
    return Foundation(
        date=found.date,
        machine=found.machine,
        versions=found.versions,
        parameters=Parameters(
            options.seconds,
            options.rounds,
            options.warm_up_seconds,
            options.connections,
            WORKERS,
            THREADS,
            found.settings,
        ),
        runs=runs,
    )


def line(run: Run) -> str:
    """A run in one line, for who watches."""
    told = (
        f"round {run.round} {run.mode:<3}  {run.case:<40} {run.per_second:7,.0f}/s"
        f"  p50 {percentile_ms(run.latencies, 50):6.1f} ms"
        f"  p99 {percentile_ms(run.latencies, 99):6.1f} ms"
    )
    if run.recorded is None:
        return told
    return f"{told}  lag {run.recorded.lag.worst_seconds:.2f} s, {run.recorded.rows:,} rows"


def publish(result: Foundation) -> None:
    """Write the few figures into the front pages."""
    put_between_marks(REPOSITORY / "README.md", "bench", small_table(result, "en"))
    put_between_marks(REPOSITORY / "README.ko.md", "bench", small_table(result, "ko"))


BENCH = Bench("foundation", Foundation, full_report, publish)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--seconds", type=float, default=60, help="of each case in each mode, in all")
    made.add_argument("--rounds", type=int, default=2, help="in which that time is spent")
    made.add_argument("--warm-up", type=float, default=5, help="seconds before each measurement")
    made.add_argument("--connections", type=int, default=16)
    made.add_argument("--only", default="", help="only the cases whose name has this in it")
    BENCH.add_options(made)
    return made


def main() -> int:
    """Measure or show, and say whether all is well."""
    given = parser().parse_args()
    cases = tuple(case for case in CASES if given.only in case.name)
    options = Options(given.seconds, given.rounds, given.warm_up, given.connections, cases)
    return BENCH.run(given, lambda: measure(options))


if __name__ == "__main__":
    sys.exit(main())
