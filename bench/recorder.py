"""How many calls a second `madang record` takes from Kafka into MariaDB, on one core.

The real process on a core of its own; MariaDB, Kafka and this program have the others. Calls are in
the topic before it starts, so making them costs nothing meanwhile. Afterwards every call must be in
history and in the statistics, once.
"""

import argparse
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from pathlib import Path

import msgspec

from madang.clock import utc_now
from measure.cores import Cores, divide_cores, held
from measure.course import FLAT_MIB_PER_MILLION, Course
from measure.events import calls, paced
from measure.full_history import add_options, empty_history, full_history
from measure.history import Totals
from measure.prefill import set_flush
from measure.recording import Recording, all_recorded
from measure.results import Bench, Circumstances, Measurement
from measure.samples import Profile
from measure.stand import Stand, servers
from measure.tables import table
from measure.topic import in_real_time

PER_SECOND_WANTED = 20_000
NOMINAL_PER_SECOND = 20_000
"""So many calls a second the times in a backlog stand for."""

SLICE_SECONDS = 10
ROLES = ("record", "mariadb", "kafka")


class Case(msgspec.Struct, frozen=True):
    """One run of the recorder over one topic."""

    name: str
    flush: int
    rows_before: int
    produced: int
    of_users: int
    recorded: int
    arriving_per_second: int
    course: Course
    grown: Totals

    @property
    def is_exact(self) -> bool:
        """Whether history and statistics got every call once, and the offsets stand at the end."""
        wanted = Totals(self.produced, self.produced, self.produced, self.of_users, 0)
        return self.grown == wanted and self.recorded == self.produced


class Result(Measurement, frozen=True, kw_only=True):
    """All cases."""

    settings: dict[str, str]
    cases: list[Case]
    profile: Profile | None = None

    def faults(self) -> list[str]:
        """Calls missing or doubled, a rate below the target, memory that grows."""
        found = []
        for case in self.cases:
            name = f"{case.name}, flush {case.flush}"
            if not case.is_exact:
                found.append(f"{name}: {case.produced:,} produced, in the database {case.grown}")
            rate = case.course.per_second
            if not case.arriving_per_second and rate < PER_SECOND_WANTED:
                found.append(f"{name}: {rate:,.0f} a second, wanted {PER_SECOND_WANTED:,}")
            if not case.course.is_flat("record"):
                slope = case.course.mib_per_million("record")
                found.append(f"{name}: memory grows by {slope:.1f} MiB over a million calls")
        return found


class Recorder:
    """Runs the cases on one stand."""

    def __init__(self, stand: Stand, cores: Cores, events: int) -> None:
        self._stand = stand
        self._cores = cores
        self._events = events

    def backlog(self, name: str, flush: int) -> Case:
        """Record a backlog with nothing else going on."""
        recording, before = self._filled()
        set_flush(self._stand, flush)
        with recording.recorder(core=self._cores.measured) as watch:
            course = all_recorded(recording, watch)
        return _case(name, flush, recording, before, course)

    def catch_up(self, name: str, per_second: int) -> Case:
        """Record a backlog while calls go on to arrive, until what is new is recorded at once."""
        recording, before = self._filled()
        set_flush(self._stand, 1)
        ending = threading.Event()
        arriving = in_real_time(calls(paced(utc_now(), per_second), seed=2), ending)
        with (
            recording.recorder(core=self._cores.measured) as watch,
            ThreadPoolExecutor(1) as producer,
        ):
            producing = producer.submit(recording.produce, arriving)
            try:
                course = watch.until(lambda done: recording.in_topic() - done < per_second)
            finally:
                ending.set()
            producing.result()
            all_recorded(recording, watch)
        return _case(name, 1, recording, before, course, arriving=per_second)

    def profiled(self, file: Path) -> Profile:
        """Where the recorder's time goes; the sampling slows it, so no rate is taken."""
        recording, _ = self._filled()
        with recording.recorder(core=self._cores.measured, profile=file) as watch:
            all_recorded(recording, watch)
        return msgspec.json.decode(file.read_bytes(), type=Profile)

    def _filled(self) -> tuple[Recording, Totals]:
        recording = Recording(self._stand)
        before = recording.history.totals()
        began = utc_now() - timedelta(seconds=self._events / NOMINAL_PER_SECOND)
        moments = islice(paced(began, NOMINAL_PER_SECOND), self._events)
        recording.produce(calls(moments, seed=1))
        return recording, before


def _case(
    name: str,
    flush: int,
    recording: Recording,
    before: Totals,
    course: Course,
    *,
    arriving: int = 0,
) -> Case:
    case = Case(
        name,
        flush,
        before.rows,
        recording.produced,
        recording.of_users,
        recording.recorded(),
        arriving,
        course,
        recording.history.totals().since(before),
    )
    print(line(case), flush=True)
    return case


def measure(given: argparse.Namespace) -> Result:
    """Run the cases, on an empty history and on a full one."""
    cores = divide_cores()
    cases: list[Case] = []
    profile = None
    with empty_history(given) as stand:
        found = Circumstances.now(stand)
        recorder = Recorder(stand, cores, given.events)
        with held(servers(stand).values(), cores.others):
            cases += [recorder.backlog("empty history", flush) for flush in given.flush]
            if given.profile:
                profile = recorder.profiled(stand.directory / "profile.json")
    if given.rows:
        with full_history(given) as stand:
            recorder = Recorder(stand, cores, given.events)
            with held(servers(stand).values(), cores.others):
                cases += [recorder.backlog("full history", flush) for flush in given.flush]
                cases.append(recorder.catch_up("catching up", given.arriving))
    return Result(
        date=found.date,
        machine=found.machine,
        versions=found.versions,
        settings=found.settings,
        cases=cases,
        profile=profile,
    )


def line(case: Case) -> str:
    """A case in one line, for who watches."""
    course = case.course
    return (
        f"{case.name}, flush {case.flush}: {course.per_second:,.0f}/s, "
        f"{course.seconds:.1f} s, record {course.cpu_us_per_event('record'):.1f} us a call, "
        f"mariadb {course.cpu_us_per_event('mariadb'):.1f}, exact: {case.is_exact}"
    )


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        "`madang record` alone on one core, everything else on the others; 3 partitions, batches "
        "as the recorder takes them"
    )
    parts = [
        result.conditions(how, {**result.settings, _FLUSH: "as in the table"}),
        table(_RATES_HEADER, (_rates(case) for case in result.cases)),
        "Processor time in µs a call, and how busy each core was:\n",
        table(("", "flush", *ROLES, "cores"), (_processor(case) for case in result.cases)),
        "Resident memory of `record` in MiB:\n",
        table(("", "flush", "at first", "at last", "MiB a million"), _memory(result.cases)),
    ]
    if result.profile is not None:
        parts.append(result.profile.report("record"))
    parts.append(
        result.verdict(
            f"Every call is in history and in the statistics once, every backlog went at "
            f"{PER_SECOND_WANTED:,} a second or more, and memory grows by less than "
            f"{FLAT_MIB_PER_MILLION:g} MiB over a million calls."
        )
    )
    return "\n".join(parts)


_FLUSH = "innodb_flush_log_at_trx_commit"
_RATES_HEADER = (
    "",
    "flush",
    "rows before",
    "calls",
    "arriving a second",
    "seconds",
    "calls/s",
    f"slowest to fastest {SLICE_SECONDS} s",
)


def _rates(case: Case) -> list[str]:
    slices = case.course.slices(SLICE_SECONDS)
    return [
        case.name,
        str(case.flush),
        f"{case.rows_before:,}",
        f"{case.course.events:,}",
        f"{case.arriving_per_second:,}",
        f"{case.course.seconds:.1f}",
        f"{case.course.per_second:,.0f}",
        f"{min(slices):,.0f} to {max(slices):,.0f}",
    ]


def _processor(case: Case) -> list[str]:
    used = [f"{case.course.cpu_us_per_event(role):.1f}" for role in ROLES]
    cores = ", ".join(f"{share:.0%}" for share in case.course.cores_used())
    return [case.name, str(case.flush), *used, cores]


def _memory(cases: list[Case]) -> Iterator[list[str]]:
    for case in cases:
        first, *_, last = case.course.working[1:]
        yield [
            case.name,
            str(case.flush),
            f"{first.rss_mib['record']:.0f}",
            f"{last.rss_mib['record']:.0f}",
            f"{case.course.mib_per_million('record'):.1f}",
        ]


BENCH = Bench("recorder", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="With --rows 0 only an empty history is measured."
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="in each backlog")
    add_options(parser)
    parser.add_argument("--arriving", type=int, default=2000, help="a second, when catching up")
    parser.add_argument(
        "--flush",
        type=int,
        nargs="+",
        choices=(1, 2),
        default=[1, 2],
        help="values of innodb_flush_log_at_trx_commit",
    )
    parser.add_argument(
        "--profile", action="store_true", help="also show which functions the recorder spends on"
    )
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
