"""What it costs a request to append its call to the spool: each append timed by itself.

The API's own writer, in processes and threads as an API has them. What is between two appends
decides what an append has to wait for: nothing, as no API does, or the work of a request.
"""

import argparse
import multiprocessing
import shutil
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import psutil

from madang.calls.event import CallEvent, encode
from madang.calls.spool import SpoolWriter
from madang.clock import utc_now
from measure.course import FLAT_MIB_PER_MILLION, slope
from measure.events import calls, spread
from measure.latency import Buckets, bucketed, merged, percentile
from measure.results import Bench, Circumstances, Measurement
from measure.tables import table
from measure.topic import traceparent_of
from measure.usage import MEBIBYTE
from tests.services.workspace import temporary_directory

P99_WANTED_US = 30
REQUEST_US = 300
"""How long the interpreter is at work for one request, about."""

SEGMENT_BYTES = 8 * 1024 * 1024
LARGEST_SPOOL = 64 * 1024**3
LOOKS = 50
_DISTINCT_CALLS = 1000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Who appends, and what each does besides."""

    name: str
    processes: int = 1
    threads: int = 1
    encodes: bool = False
    request_us: int = 0
    one_in: int = 1
    """Requests take their time: fewer appends are enough."""


PLANS = (
    Plan("append"),
    Plan("encode and append", encodes=True),
    Plan("two processes", processes=2, encodes=True),
    Plan("four threads", threads=4, encodes=True),
    Plan(
        "two processes of four threads, with a request's work between",
        processes=2,
        threads=4,
        encodes=True,
        request_us=REQUEST_US,
        one_in=5,
    ),
)


class Case(msgspec.Struct, frozen=True):
    """What the appends of one plan took, in nanoseconds."""

    name: str
    threads: int
    appends: int
    seconds: float
    latencies_ns: Buckets
    processor_ns: Buckets
    rss_mib: list[tuple[int, float]]

    @property
    def mib_per_million(self) -> float:
        """The slope of the first process' memory over its appends, the first fifth left out."""
        settled = self.rss_mib[-1][0] / 5
        return slope([look for look in self.rss_mib if look[0] > settled]) * _MILLION

    def percentile_us(self, percent: float) -> float:
        """How long that share of the appends took at most."""
        return percentile(self.latencies_ns, percent) / 1000

    def processor_us(self, percent: float) -> float:
        """How much processor time that share of the appends took at most."""
        return percentile(self.processor_ns, percent) / 1000

    @property
    def is_cheap(self) -> bool:
        """Whether it is within the target, with all that the thread waited for."""
        return self.percentile_us(99) < P99_WANTED_US


class Result(Measurement, frozen=True, kw_only=True):
    """All plans, on one file system."""

    file_system: str
    cases: list[Case]

    def faults(self) -> list[str]:
        """An append that is dear, or memory that grows."""
        found = []
        for case in self.cases:
            if not case.is_cheap:
                found.append(
                    f"{case.name}: p99 {case.percentile_us(99):.1f} µs, of it processor time "
                    f"{case.processor_us(99):.1f} µs"
                )
            if case.mib_per_million > FLAT_MIB_PER_MILLION:
                found.append(f"{case.name}: memory grows by {case.mib_per_million:.1f} MiB")
        return found


class Appender:
    """One process with its writer: times what its threads append."""

    def __init__(self, directory: Path, plan: Plan, appends: int) -> None:
        self._writer = SpoolWriter(directory, max_bytes=LARGEST_SPOOL, segment_bytes=SEGMENT_BYTES)
        self._plan = plan
        self._each = appends // plan.threads
        now = utc_now()
        moments = spread(now - timedelta(seconds=1), now, _DISTINCT_CALLS)
        self._calls = [(event, traceparent_of(event)) for event in calls(moments, seed=4)]
        self._times = [_zeros(self._each) for _ in range(plan.threads)]
        self._processor = [_zeros(self._each) for _ in range(plan.threads)]
        self._rss: list[tuple[int, float]] = []

    def run(self) -> tuple[float, Buckets, Buckets, list[tuple[int, float]]]:
        """Seconds, latencies, processor times, and memory over the appends of this process."""
        threads = [
            threading.Thread(target=self._append, args=[number])
            for number in range(self._plan.threads)
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        self._writer.close()
        return seconds, _all(self._times), _all(self._processor), self._rss

    def _append(self, thread: int) -> None:
        times, processor = self._times[thread], self._processor[thread]
        process, every = psutil.Process(), max(1, self._each // LOOKS)
        clock, used = time.perf_counter_ns, time.thread_time_ns
        for number, (event, trace, raw) in enumerate(islice(self._endless(), self._each)):
            if thread == 0 and number % every == 0:
                rss = process.memory_info().rss / MEBIBYTE
                self._rss.append((number * self._plan.threads, round(rss, 2)))
            if self._plan.request_us:
                _work(self._plan.request_us)
            used_before, began = used(), clock()
            self._writer.append(raw or encode(event), trace)
            times[number] = clock() - began
            processor[number] = used() - used_before

    def _endless(self) -> Iterator[tuple[CallEvent, str, bytes]]:
        """Calls, over and over; their bytes only where the plan is to append what is encoded."""
        known = [
            (event, trace, b"" if self._plan.encodes else encode(event))
            for event, trace in self._calls
        ]
        while True:
            yield from known


def _zeros(number: int) -> "array[int]":
    """Room for so many numbers, taken before memory is looked at."""
    return array("Q", bytes(8 * number))


def _all(threads: "list[array[int]]") -> Buckets:
    return merged(bucketed((ns, 1) for ns in times) for times in threads)


def _work(microseconds: int) -> None:
    """Keep the interpreter busy, as a request does, and then let others have it."""
    until = time.perf_counter_ns() + microseconds * 1000
    while time.perf_counter_ns() < until:
        pass
    time.sleep(0)


def measure(given: argparse.Namespace) -> Result:
    """Run all plans, each in processes of its own and in a spool of its own."""
    found = Circumstances.now(None)
    with temporary_directory() as temporary:
        directory = given.directory or temporary
        cases = []
        for plan in PLANS:
            cases.append(_run(directory / "spool", plan, given.events // plan.one_in))
            print(line(cases[-1]), flush=True)
            shutil.rmtree(directory / "spool")
        return Result(
            date=found.date,
            machine=found.machine,
            versions=found.versions,
            file_system=_file_system(directory),
            cases=cases,
        )


def _run(directory: Path, plan: Plan, appends: int) -> Case:
    forking = multiprocessing.get_context("fork")
    pipes = [forking.Pipe(duplex=False) for _ in range(plan.processes)]
    each = appends // plan.processes
    children = [
        forking.Process(target=_child, args=(sending, directory, plan, each))
        for _, sending in pipes
    ]
    for child, (_, sending) in zip(children, pipes, strict=True):
        child.start()
        sending.close()
    found = [receiving.recv() for receiving, _ in pipes]
    for child in children:
        child.join()
    seconds, latencies, processor, rss = zip(*found, strict=True)
    times = merged(latencies)
    appends, longest = sum(times.values()), round(max(seconds), 3)
    return Case(plan.name, plan.threads, appends, longest, times, merged(processor), rss[0])


def _child(sending: Connection, directory: Path, plan: Plan, appends: int) -> None:
    sending.send(Appender(directory, plan, appends).run())


def _file_system(directory: Path) -> str:
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    place = directory.resolve()
    return next(mounts[str(at)] for at in (place, *place.parents) if str(at) in mounts)


def line(case: Case) -> str:
    """A case in one line, for who watches."""
    figures = " ".join(f"p{percent:g} {case.percentile_us(percent):.1f}" for percent in _PERCENTS)
    return f"{case.name}: {figures} us, memory {case.mib_per_million:.1f} MiB a million"


_PERCENTS = (50, 99, 99.9)


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        f"Spool on {result.file_system}, segments of 8 MiB, nothing reads it; a request's work is "
        f"{REQUEST_US} µs of Python in the same interpreter"
    )
    rows = (
        [
            case.name,
            f"{case.appends:,}",
            f"{case.appends / case.seconds:,.0f}",
            *(f"{case.percentile_us(percent):.1f}" for percent in _PERCENTS),
            f"{case.processor_us(99):.1f}",
            f"{case.mib_per_million:.1f}",
        ]
        for case in result.cases
    )
    times = [f"p{percent:g} µs" for percent in _PERCENTS]
    header = ("", "appends", "a second", *times, "processor p99 µs", "MiB a million")
    return "\n".join(
        [
            result.conditions(how, {}),
            table(header, rows),
            result.verdict(
                f"An append costs less than {P99_WANTED_US} µs at p99, and memory grows by less "
                f"than {FLAT_MIB_PER_MILLION:g} MiB over a million."
            ),
        ]
    )


BENCH = Bench("spool", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="appends of each plan")
    parser.add_argument("--directory", type=Path, help="on the file system to measure")
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
