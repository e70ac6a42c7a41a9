"""How many calls a second `madang ship` takes from a spool to Kafka and to Redis, on one core.

The spool is written beforehand by the API's own writer. The real process has a core of its own;
Kafka, Redis and this program have the others. Afterwards the topic must hold every call once, Redis
must have been given all of them, and the spool must be empty.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import msgspec
from redis import Redis as RedisClient

from madang.calls.event import CallEvent, encode
from madang.calls.recent import STREAM
from madang.calls.spool import Reader, SpoolReader, SpoolWriter
from madang.clock import utc_now
from measure.cores import divide_cores, held, on_core
from measure.course import FLAT_MIB_PER_MILLION, Course, Watch
from measure.events import calls, paced
from measure.results import Bench, Circumstances, Measurement
from measure.samples import Profile, profiling
from measure.stand import Stand, servers, services
from measure.tables import table
from measure.topic import messages_in, traceparent_of
from tests.services.stack import Stack
from tests.services.workspace import temporary_directory

PER_SECOND_WANTED = 20_000
NOMINAL_PER_SECOND = 20_000
SLICE_SECONDS = 10
SEGMENT_BYTES = 8 * 1024 * 1024
LARGEST_SPOOL = 64 * 1024**3
ROLES = ("ship", "kafka", "redis")
_STOP_SECONDS = 15


class Result(Measurement, frozen=True, kw_only=True):
    """One spool, delivered."""

    spooled: int
    spool_mib: float
    course: Course
    in_topic: int
    in_redis: int
    left_bytes: int
    profile: Profile | None = None

    def faults(self) -> list[str]:
        """Calls missing or doubled, a rate below the target, memory that grows."""
        found = []
        if not self.in_topic == self.in_redis == self.spooled or self.left_bytes:
            found.append(
                f"{self.spooled:,} spooled, {self.in_topic:,} in the topic, {self.in_redis:,} "
                f"given to Redis, {self.left_bytes:,} bytes left"
            )
        if self.course.per_second < PER_SECOND_WANTED:
            found.append(f"{self.course.per_second:,.0f} a second, wanted {PER_SECOND_WANTED:,}")
        if not self.course.is_flat("ship"):
            slope = self.course.mib_per_million("ship")
            found.append(f"memory grows by {slope:.1f} MiB over a million calls")
        return found


class Shipping:
    """A full spool and a topic of its own."""

    def __init__(self, stand: Stand, directory: Path, events: int) -> None:
        directory.mkdir()
        self._stand = stand
        self._topic = f"bench-{directory.name}"
        dependencies = replace(stand.dependencies, topic=self._topic)
        self.stack = Stack(directory, dependencies)
        self.spool = directory / "spool"
        self.stack.run("topics")
        with RedisClient.from_url(stand.redis.address) as client:
            client.delete(STREAM)
        began = utc_now() - timedelta(seconds=events / NOMINAL_PER_SECOND)
        moments = islice(paced(began, NOMINAL_PER_SECOND), events)
        self.spooled = fill_spool(self.spool, calls(moments, seed=3))
        self.bytes = self.left_bytes()

    def in_topic(self) -> int:
        """How many calls Kafka has."""
        return messages_in(self._stand.kafka, self._topic)

    def in_redis(self) -> int:
        """How many entries the stream has ever been given."""
        with RedisClient.from_url(self._stand.redis.address) as client:
            if not client.exists(STREAM):
                return 0
            return int(client.xinfo_stream(STREAM)["entries-added"])

    def left_bytes(self) -> int:
        """What is not delivered to Kafka."""
        reader = SpoolReader(self.spool, Reader.durable)
        try:
            return reader.backlog_bytes()
        finally:
            reader.close()

    def deliver(self, core: int, profile: Path | None = None) -> Course:
        """Run `madang ship` until Kafka and Redis have all."""
        ship = self.stack.ship
        if profile is not None:
            profiling(ship, profile)
        ship.argv = on_core(core, ship.argv)
        ship.start()
        try:
            watch = Watch({"ship": ship, **servers(self._stand)}, self.in_topic)
            return watch.until(
                lambda sent: sent >= self.spooled and self.in_redis() >= self.spooled
            )
        finally:
            ship.stop(_STOP_SECONDS)


def fill_spool(directory: Path, events: Iterable[CallEvent]) -> int:
    """Append calls as an API worker would; how many."""
    writer = SpoolWriter(directory, max_bytes=LARGEST_SPOOL, segment_bytes=SEGMENT_BYTES)
    count = 0
    for event in events:
        writer.append(encode(event), traceparent_of(event))
        count += 1
    writer.close()
    return count


def measure(given: argparse.Namespace) -> Result:
    """Fill a spool and have it delivered."""
    cores = divide_cores()
    with temporary_directory() as directory, services(directory) as stand:
        found = Circumstances.now(stand)
        with held(servers(stand).values(), cores.others):
            shipping = Shipping(stand, directory / "shipping", given.events)
            course = shipping.deliver(cores.measured)
            profile = None
            if given.profile:
                file = directory / "profile.json"
                Shipping(stand, directory / "profiled", given.events).deliver(cores.measured, file)
                profile = msgspec.json.decode(file.read_bytes(), type=Profile)
        return Result(
            date=found.date,
            machine=found.machine,
            versions=found.versions,
            spooled=shipping.spooled,
            spool_mib=round(shipping.bytes / 1024**2, 1),
            course=course,
            in_topic=shipping.in_topic(),
            in_redis=shipping.in_redis(),
            left_bytes=shipping.left_bytes(),
            profile=profile,
        )


def report(result: Result) -> str:
    """The result as Markdown."""
    course = result.course
    slices = course.slices(SLICE_SECONDS)
    how = (
        f"`madang ship` alone on one core, everything else on the others; a spool of "
        f"{result.spool_mib:,.0f} MiB in segments of 8 MiB"
    )
    first, last = course.working[1], course.working[-1]
    parts = [
        result.conditions(how, {}),
        table(
            ("calls", "seconds", "calls/s", f"slowest to fastest {SLICE_SECONDS} s", "cores"),
            [
                [
                    f"{result.spooled:,}",
                    f"{course.seconds:.1f}",
                    f"{course.per_second:,.0f}",
                    f"{min(slices):,.0f} to {max(slices):,.0f}",
                    ", ".join(f"{share:.0%}" for share in course.cores_used()),
                ]
            ],
        ),
        table(
            ("", *ROLES),
            [
                ["processor µs a call", *(f"{course.cpu_us_per_event(r):.1f}" for r in ROLES)],
                ["MiB at first", *(f"{first.rss_mib[role]:.0f}" for role in ROLES)],
                ["MiB at last", *(f"{last.rss_mib[role]:.0f}" for role in ROLES)],
                ["MiB a million", *(f"{course.mib_per_million(role):.1f}" for role in ROLES)],
            ],
        ),
    ]
    if result.profile is not None:
        parts.append(result.profile.report("ship"))
    parts.append(
        result.verdict(
            f"Every call is in the topic once and was given to Redis, at {PER_SECOND_WANTED:,} a "
            f"second or more, and memory grows by less than {FLAT_MIB_PER_MILLION:g} MiB over a "
            "million calls."
        )
    )
    return "\n".join(parts)


BENCH = Bench("ship", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the spool")
    parser.add_argument(
        "--profile", action="store_true", help="also show which functions the shipper spends on"
    )
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
