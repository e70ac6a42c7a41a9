"""Counting calls in memory: by minute and hour, by kind and all together, by user and hour (pure).

All keys are numbers; times are seconds since 1970.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from madang.calls import sketch
from madang.calls.event import CallEvent, Counted, milliseconds_of
from madang.calls.kinds import ALL_KINDS

FIRST_ERROR_STATUS = 500
"""5xx: the server failed. A 4xx is an answer."""

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
MINUTES_KEPT = timedelta(days=7)
"""How long rows by minute are kept; those by hour as long as history."""


class CallKey(NamedTuple):
    """Which row of `call_statistics`; the partition is the recorder's."""

    step_seconds: int
    start: int
    kind_id: int

    @property
    def is_all_of_an_hour(self) -> bool:
        """Whether it counts the calls of every kind, by hour."""
        return self.step_seconds == HOUR_SECONDS and self.kind_id == ALL_KINDS


class UserKey(NamedTuple):
    """Which row of `user_statistics`; the partition is the recorder's."""

    start: int
    user_id: str


@dataclass(slots=True)
class Tally:
    """Calls: how many, how many failed (5xx), and how long they took."""

    calls: int = 0
    errors: int = 0
    duration_sum_us: int = 0
    durations: Counter[int] = field(default_factory=Counter)

    def add(self, durations_us: Sequence[int], durations: Counter[int], *, failed: bool) -> None:
        """Count calls that took so long; `durations` is their sketch."""
        self.calls += len(durations_us)
        self.errors += len(durations_us) if failed else 0
        self.duration_sum_us += sum(durations_us)
        self.durations.update(durations)

    def merge(self, other: "Tally") -> None:
        """Count what another tally counted."""
        self.calls += other.calls
        self.errors += other.errors
        self.duration_sum_us += other.duration_sum_us
        self.durations.update(other.durations)


@dataclass(slots=True)
class UserTally:
    """Calls of one user."""

    calls: int = 0
    errors: int = 0


class Tallies(NamedTuple):
    """What a batch adds."""

    calls: dict[CallKey, Tally]
    users: dict[UserKey, UserTally]

    def merge(self, more: "Tallies") -> None:
        """Add what another portion counted."""
        for key, tally_of_key in more.calls.items():
            if key in self.calls:
                self.calls[key].merge(tally_of_key)
            else:
                self.calls[key] = tally_of_key
        for user_key, user in more.users.items():
            mine = self.users.setdefault(user_key, UserTally())
            mine.calls += user.calls
            mine.errors += user.errors


def tally(counted: Iterable[Counted]) -> Tallies:
    """Count calls by minute and hour, by kind and all together, and by user and hour."""
    tallies = Tallies(defaultdict(Tally), defaultdict(UserTally))
    groups: defaultdict[tuple[int, int, bool], list[int]] = defaultdict(list)
    for event, kind_id, counted_at in counted:
        seconds = _seconds(event, counted_at)
        failed = event.status >= FIRST_ERROR_STATUS
        groups[seconds - seconds % MINUTE_SECONDS, kind_id, failed].append(event.duration_us)
        if event.user_id is not None:
            # MariaDB takes names that differ in spaces at their end for one.
            name = event.user_id.rstrip(" ")
            user = tallies.users[UserKey(seconds - seconds % HOUR_SECONDS, name)]
            user.calls += 1
            user.errors += failed
    for (minute, kind_id, failed), durations_us in groups.items():
        durations = sketch.count(durations_us)
        hour = minute - minute % HOUR_SECONDS
        for number in (kind_id, ALL_KINDS):
            for step, start in ((MINUTE_SECONDS, minute), (HOUR_SECONDS, hour)):
                tallies.calls[CallKey(step, start, number)].add(
                    durations_us, durations, failed=failed
                )
    return tallies


def _seconds(event: CallEvent, counted_at: datetime | None) -> int:
    if counted_at is not None:
        return int(counted_at.timestamp())
    return milliseconds_of(event.id) // 1000
