"""Statistics made again from history, hour by hour."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from madang.calls import history, offsets, statistics
from madang.calls.tallies import HOUR_SECONDS, MINUTE_SECONDS, Tallies, tally
from madang.db.engine import Database
from madang.errors import UnavailableError

RECOUNTED_PARTITION = -1
"""Under which counts stand that came from history; no recorder writes there."""

ROWS_AT_ONCE = 5000
_HOUR = timedelta(hours=1)

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Recounted:
    """One hour: how many calls history has, and how many rows of statistics said otherwise."""

    hour: datetime
    calls: int
    differences: int


def hours(begin: datetime, end: datetime) -> Iterator[datetime]:
    """The hours that a period touches."""
    hour = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += _HOUR


def recount(
    database: Database, hour: datetime, *, with_minutes: bool, check_only: bool
) -> Recounted:
    """Count the calls of one hour again and, unless only checking, put the counts in place.

    No recorder writes meanwhile. `with_minutes` is false where rows by minute are not kept.

    Raises:
        UnavailableError: the database does not answer, or a recorder began on a new partition.
    """
    start = int(hour.timestamp())
    with database.write() as connection:
        partitions = offsets.lock_all(connection)
        stored = statistics.totals(connection, start, start + HOUR_SECONDS)
        if not check_only:
            for step in (MINUTE_SECONDS, HOUR_SECONDS):
                statistics.remove(connection, step, start, start + HOUR_SECONDS)
        counted = _count(connection, hour)
        if offsets.lock_all(connection) != partitions:
            raise UnavailableError("A recorder began on a new partition; try again")
        if not with_minutes:
            _drop_minutes(counted, stored)
        if not check_only:
            statistics.add(connection, RECOUNTED_PARTITION, counted)
    calls = sum(item.calls for key, item in counted.calls.items() if key.is_all_of_an_hour)
    return Recounted(hour, calls, _differences(counted, stored))


def _count(connection: Connection, hour: datetime) -> Tallies:
    counted = tally([])
    for portion in history.counted_between(connection, hour, hour + _HOUR, ROWS_AT_ONCE):
        counted.merge(tally(portion))
    return counted


def _drop_minutes(counted: Tallies, stored: statistics.Totals) -> None:
    for calls in (counted.calls, stored.calls):
        for key in [key for key in calls if key.step_seconds == MINUTE_SECONDS]:
            del calls[key]


def _differences(counted: Tallies, stored: statistics.Totals) -> int:
    calls = {
        key: (item.calls, item.errors, item.duration_sum_us) for key, item in counted.calls.items()
    }
    users = {key: (item.calls, item.errors) for key, item in counted.users.items()}
    return _differing(calls, stored.calls) + _differing(users, stored.users)


def _differing(counted: Mapping[Key, object], stored: Mapping[Key, object]) -> int:
    return sum(counted.get(key) != stored.get(key) for key in counted.keys() | stored.keys())
