"""Whether the memory of each process stays flat while a million calls are made and recorded.

First all of Madang over real services, then the embedded process, each loaded by wrk with lists,
posts and pages of history in turn, and one browser's event stream open. Resident memory is looked
at every ten seconds against the calls that are recorded. The result is written at every look: what
is cut off keeps what it has. Memory is no matter of time, so others may use the machine meanwhile.
"""

import argparse
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from measure.course import FLAT_MIB_PER_MILLION, Course, Watch
from measure.loaded import CONNECTIONS, Load
from measure.results import Bench, Circumstances, Measurement
from measure.stand import Mode, madang, services
from measure.tables import table
from tests.services.process import Process
from tests.services.stack import Embedded
from tests.services.workspace import temporary_directory

OWN = ("api", "live", "ship", "record", "serve")
LOOK_SECONDS = 10
LONGEST_SECONDS = 6 * 3600
_COUNTED = (
    "SELECT COALESCE(SUM(calls), 0) FROM call_statistics WHERE step_seconds = 3600 AND kind_id = 0"
)


class Case(msgspec.Struct, frozen=True):
    """One course: over all processes, or over the embedded one."""

    name: str
    wanted: int
    answered: int
    refused: int
    broken: int
    streamed_bytes: int
    course: Course

    def faults(self) -> Iterator[str]:
        """What failed, and which process grows."""
        counted = self.course.looks[-1].events
        if counted < self.wanted:
            yield f"{self.name}: cut off after {counted:,} of {self.wanted:,} calls"
        if self.refused or self.broken:
            yield f"{self.name}: {self.refused} answers above 399, {self.broken} broken"
        if not self.streamed_bytes:
            yield f"{self.name}: the event stream brought nothing"
        for role in self.course.roles():
            if role in OWN and not self.course.is_flat(role):
                grown = self.course.mib_per_million(role)
                yield f"{role} grows by {grown:.1f} MiB over a million calls"


class Result(Measurement, frozen=True, kw_only=True):
    """Both courses, or as much of them as there is."""

    settings: dict[str, str]
    cases: list[Case]

    def faults(self) -> list[str]:
        """Those of each course."""
        return [fault for case in self.cases for fault in case.faults()]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Processes under load, and how many of their calls are recorded."""

    roles: dict[str, Process]
    recorded: Callable[[], int]


@contextmanager
def _all_processes(load: Load, found: Callable[[Circumstances], None]) -> Iterator[Loaded]:
    with temporary_directory() as directory, services(directory) as stand:
        found(Circumstances.now(stand, "nginx", "wrk"))
        with madang(stand, Mode.on) as running:
            if running.history is None:
                raise RuntimeError("this mode has a history")
            with load.on(running.api_port, running.stack.live_port):
                yield Loaded(dict(running.roles), running.history.recorded)


@contextmanager
def _embedded(load: Load, found: Callable[[Circumstances], None]) -> Iterator[Loaded]:
    found(Circumstances.now(None, "wrk"))
    with (
        temporary_directory() as directory,
        Embedded(directory / "embedded").running() as running,
        load.on(running.port, running.port),
    ):
        yield Loaded({"serve": running.process}, lambda: _counted(running.data / "madang.db"))


def _counted(file: Path) -> int:
    """The calls that statistics count, which are those of history."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return int(connection.execute(_COUNTED).fetchone()[0])


WAYS = {"services": _all_processes, "embedded": _embedded}


class Courses:
    """Runs one way after the other, and keeps what there is at every look."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._given = given
        self._found: Circumstances | None = None
        self._cases: list[Case] = []

    def run(self) -> Result:
        """Load until so many calls are recorded."""
        for name in self._given.ways:
            self._cases.append(self._case(name))
        return self._result(self._cases)

    def _case(self, name: str) -> Case:
        load, wanted = Load(), self._given.calls

        def case(course: Course) -> Case:
            counts = (load.answered, load.refused, load.broken, load.streamed_bytes)
            return Case(name, wanted, *counts, course)

        with WAYS[name](load, self._take_note) as loaded:
            course = Watch(loaded.roles, loaded.recorded).until(
                lambda recorded: recorded >= wanted,
                every_seconds=self._given.every,
                seconds_at_most=LONGEST_SECONDS,
                on_look=lambda so_far: BENCH.keep(
                    self._given, self._result([*self._cases, case(so_far)])
                ),
            )
        return case(course)

    def _take_note(self, found: Circumstances) -> None:
        self._found = self._found or found

    def _result(self, cases: list[Case]) -> Result:
        if self._found is None:
            raise RuntimeError("nothing has run")
        found = self._found
        return Result(
            date=found.date,
            machine=found.machine,
            versions=found.versions,
            settings=found.settings,
            cases=cases,
        )


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        f"{CONNECTIONS} connections of wrk and one event stream; memory every {LOOK_SECONDS} s, "
        "the slope after the first fifth"
    )
    return "\n".join(
        [
            result.conditions(how, result.settings),
            *(_table(case) for case in result.cases),
            result.verdict(
                f"Every answer was below 400, and no process of ours grows by more than "
                f"{FLAT_MIB_PER_MILLION:g} MiB over a million calls."
            ),
        ]
    )


def _table(case: Case) -> str:
    course = case.course
    quarters = [course.looks[round(part * (len(course.looks) - 1) / 4)] for part in range(5)]
    rows = (
        [
            role,
            *(f"{look.rss_mib[role]:.0f}" for look in quarters),
            f"{course.mib_per_million(role):.1f}",
        ]
        for role in course.roles()
    )
    heading = f"{course.events:,} calls in {course.looks[-1].seconds:,.0f} s, resident MiB:\n"
    columns = ("after calls", *(f"{look.events:,}" for look in quarters), "a million")
    return f"{heading}\n{table(columns, rows)}"


BENCH = Bench("memory", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help="to record, each way")
    parser.add_argument(
        "--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="default: both"
    )
    parser.add_argument(
        "--every", type=float, default=LOOK_SECONDS, help="seconds from look to look"
    )
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: Courses(given).run())


if __name__ == "__main__":
    sys.exit(main())
