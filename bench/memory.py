"""Whether the memory of each process stays flat while a million calls are made and recorded.

All of Madang over real services, loaded by wrk with lists, posts and pages of history in turn, and
one browser's event stream open. Resident memory is looked at every ten seconds against the calls
that are recorded.
"""

import argparse
import http.client
import itertools
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec

from measure.course import FLAT_MIB_PER_MILLION, Course, Watch
from measure.history import History
from measure.results import Bench, Circumstances, Measurement
from measure.stand import Mode, Running, madang, register, services
from measure.tables import table
from measure.wrk import Target, drive
from tests.services.workspace import temporary_directory

OWN = ("api", "live", "ship", "record")
CONNECTIONS = 16
LOOK_SECONDS = 10
TURNS = (
    ("GET", "/api/messages?limit=10", 8),
    ("POST", "/api/messages", 2),
    ("GET", "/api/logs/kafka", 1),
)
"""The calls, and for how many seconds each has its turn."""

_CHUNK = 65_536
_STREAM_SECONDS = 60


class Result(Measurement, frozen=True, kw_only=True):
    """One course over all processes."""

    settings: dict[str, str]
    answered: int
    refused: int
    broken: int
    streamed_bytes: int
    course: Course

    def faults(self) -> list[str]:
        """What failed, and which process grows."""
        found = []
        if self.refused or self.broken:
            found.append(f"{self.refused} answers above 399, {self.broken} broken")
        if not self.streamed_bytes:
            found.append("the event stream brought nothing")
        found += [
            f"{role} grows by {self.course.mib_per_million(role):.1f} MiB over a million calls"
            for role in OWN
            if not self.course.is_flat(role)
        ]
        return found


class Load(msgspec.Struct):
    """What was asked of the API so far."""

    answered: int = 0
    refused: int = 0
    broken: int = 0

    def make(self, port: int, cookie: str, stop: threading.Event) -> None:
        """One kind of call after the other, until `stop` is set."""
        for method, path, seconds in itertools.cycle(TURNS):
            if stop.is_set():
                return
            target = Target(port, method, path, cookie)
            answers = drive(target, connections=CONNECTIONS, seconds=seconds)
            self.answered += answers.requests
            self.refused += answers.refused
            self.broken += answers.broken


class Stream(threading.Thread):
    """A client of the event stream that reads all it is sent."""

    def __init__(self, port: int, cookie: str) -> None:
        super().__init__(name="stream", daemon=True)
        self.bytes = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STREAM_SECONDS)
        self._connection.request(
            "GET", "/api/live?topics=calls,messages", headers={"Cookie": cookie}
        )
        self._answer = self._connection.getresponse()
        self.start()

    def run(self) -> None:
        """Read to the end, which comes when `live` is stopped."""
        while chunk := self._answer.read1(_CHUNK):
            self.bytes += len(chunk)


@contextmanager
def _loaded(running: Running, load: Load) -> Iterator[Stream]:
    cookie = register(running.api_port)
    stream = Stream(running.stack.live_port, cookie)
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load.make, running.api_port, cookie, stop)
        try:
            yield stream
        finally:
            stop.set()
        loading.result()


def measure(given: argparse.Namespace) -> Result:
    """Load everything until so many calls are recorded."""
    load = Load()
    with temporary_directory() as directory, services(directory) as stand:
        found = Circumstances.now(stand, "nginx", "wrk")
        with madang(stand, Mode.on) as running:
            with _loaded(running, load) as stream:
                watch = Watch(running.roles, _history(running).recorded)
                course = watch.until(
                    lambda recorded: recorded >= given.events, every_seconds=given.every
                )
            streamed = stream.bytes
    return Result(
        date=found.date,
        machine=found.machine,
        versions=found.versions,
        settings=found.settings,
        answered=load.answered,
        refused=load.refused,
        broken=load.broken,
        streamed_bytes=streamed,
        course=course,
    )


def _history(running: Running) -> History:
    if running.history is None:
        raise RuntimeError("this mode has a history")
    return running.history


def report(result: Result) -> str:
    """The result as Markdown."""
    course = result.course
    how = (
        f"All processes under {CONNECTIONS} connections of wrk, {course.events:,} calls in "
        f"{course.seconds:,.0f} s; memory every {LOOK_SECONDS} s, the slope after the first fifth"
    )
    quarters = [course.looks[round(part * (len(course.looks) - 1) / 4)] for part in range(5)]
    rows = (
        [
            role,
            *(f"{look.rss_mib[role]:.0f}" for look in quarters),
            f"{course.mib_per_million(role):.1f}",
        ]
        for role in course.roles()
    )
    return "\n".join(
        [
            result.conditions(how, result.settings),
            table(
                ("resident MiB", *(f"{look.events:,} calls" for look in quarters), "a million"),
                rows,
            ),
            result.verdict(
                f"Every answer was below 400, and no process of ours grows by more than "
                f"{FLAT_MIB_PER_MILLION:g} MiB over a million calls."
            ),
        ]
    )


BENCH = Bench("memory", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="calls to record")
    parser.add_argument(
        "--every", type=float, default=LOOK_SECONDS, help="seconds from look to look"
    )
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
