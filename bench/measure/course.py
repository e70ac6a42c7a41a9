"""The course of a measurement: events done, processor time and memory, looked at every so often."""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import psutil

from measure.usage import MEBIBYTE, cpu_seconds_of, with_children
from tests.services.errors import ServiceError
from tests.services.process import Process

FLAT_MIB_PER_MILLION = 5.0
"""What memory may grow by over a million events and still count as flat."""

_STALLED_SECONDS = 60
_SETTLED_SHARE = 0.2
_MILLION = 1_000_000


class Look(msgspec.Struct, frozen=True):
    """At one moment: the events done so far, and what each role has used and holds."""

    seconds: float
    events: int
    cpu_seconds: dict[str, float]
    rss_mib: dict[str, float]
    cores_busy_seconds: list[float]


class Course(msgspec.Struct, frozen=True):
    """All looks, from before the first event to after the last."""

    looks: list[Look]

    @property
    def working(self) -> list[Look]:
        """From the last look before the first event on."""
        idle = sum(look.events == self.looks[0].events for look in self.looks)
        return self.looks[max(0, idle - 1) :]

    @property
    def events(self) -> int:
        """How many were done."""
        return self.looks[-1].events - self.looks[0].events

    @property
    def seconds(self) -> float:
        """How long that took."""
        return self.working[-1].seconds - self.working[0].seconds

    @property
    def per_second(self) -> float:
        """Events a second over the whole."""
        return self.events / self.seconds

    def slices(self, seconds: float) -> list[float]:
        """Events a second in each full stretch of about so many seconds."""
        rates, begin = [], self.working[0]
        for look in self.working:
            if look.seconds - begin.seconds >= seconds:
                rates.append((look.events - begin.events) / (look.seconds - begin.seconds))
                begin = look
        return rates or [self.per_second]

    def roles(self) -> list[str]:
        """Whose use is known."""
        return list(self.looks[-1].rss_mib)

    def cpu_us_per_event(self, role: str) -> float:
        """Processor time."""
        first, last = self.working[0], self.working[-1]
        return (last.cpu_seconds[role] - first.cpu_seconds[role]) / self.events * _MILLION

    def cores_used(self) -> list[float]:
        """The share of the time that each core was busy, whoever made it so."""
        pairs = zip(
            self.working[0].cores_busy_seconds, self.working[-1].cores_busy_seconds, strict=True
        )
        return [(last - first) / self.seconds for first, last in pairs]

    def mib_per_million(self, role: str) -> float:
        """The slope of resident memory over events, by least squares, once it has settled."""
        settled = self.looks[0].events + self.events * _SETTLED_SHARE
        points = [(look.events, look.rss_mib[role]) for look in self.looks if look.events > settled]
        return slope(points) * _MILLION

    def is_flat(self, role: str) -> bool:
        """Whether its memory does not grow with events."""
        return self.mib_per_million(role) <= FLAT_MIB_PER_MILLION


class Watch:
    """Looks at processes while they do what `progress` counts."""

    def __init__(self, roles: Mapping[str, Process], progress: Callable[[], int]) -> None:
        """`roles` are running; what they start later is not counted."""
        self._roles = roles
        self._members = {name: with_children(process) for name, process in roles.items()}
        self._progress = progress
        self._began = time.monotonic()
        self._looks: list[Look] = []

    def until(
        self,
        is_done: Callable[[int], bool],
        *,
        every_seconds: float = 0.25,
        seconds_at_most: float = 3600,
        on_look: Callable[[Course], None] = lambda _: None,
    ) -> Course:
        """Look until `is_done` says so of the events so far; `on_look` is told all of them.

        Raises:
            ServiceError: a process ended, nothing was done for a minute, or the time is over.
        """
        moved_at = time.monotonic()
        while True:
            look = self._look()
            if not self._looks or look.events != self._looks[-1].events:
                moved_at = time.monotonic()
            self._looks.append(look)
            course = Course(list(self._looks))
            on_look(course)
            if is_done(look.events):
                return course
            self._check(time.monotonic() - moved_at)
            if time.monotonic() - self._began > seconds_at_most:
                raise ServiceError(f"not done after {seconds_at_most:g} s, {look.events:,} events")
            time.sleep(every_seconds)

    def _look(self) -> Look:
        return Look(
            round(time.monotonic() - self._began, 3),
            self._progress(),
            {name: round(cpu_seconds_of(each), 2) for name, each in self._members.items()},
            {
                name: round(sum(one.memory_info().rss for one in each) / MEBIBYTE, 2)
                for name, each in self._members.items()
            },
            [round(_busy(times), 2) for times in psutil.cpu_times(percpu=True)],
        )

    def _check(self, still_seconds: float) -> None:
        for process in self._roles.values():
            if not process.running:
                raise ServiceError(f"{process.name} ended\n{process.log_tail()}")
        if still_seconds > _STALLED_SECONDS:
            tails = "\n".join(process.log_tail(5) for process in self._roles.values())
            raise ServiceError(f"nothing was done for {_STALLED_SECONDS} s\n{tails}")


def _busy(times: psutil._pslinux.scputimes) -> float:
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line closest to these points; 0 where they are too few to have one."""
    if not points:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
