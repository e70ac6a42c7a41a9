"""Statistics of calls: counted in memory, then merged into their rows in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ddsketch import DDSketch
from sqlalchemy import Connection, select, tuple_
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from madang.calls import sketch
from madang.calls.event import CallEvent
from madang.calls.models import CallStatistics, UserStatistics

MINUTE_SECONDS = 60
HOUR_SECONDS = 3600
FIRST_ERROR_STATUS = 500


class CallKey(NamedTuple):
    """Which row of `call_statistics`; the partition is the recorder's."""

    step_seconds: int
    start: datetime
    service_name: str
    endpoint: str
    method: str
    status: int


class UserKey(NamedTuple):
    """Which row of `user_statistics`; the partition is the recorder's."""

    hour: datetime
    user_id: str


@dataclass(slots=True)
class Tally:
    """Calls of one kind: how many, how many failed (5xx), and how long they took."""

    calls: int = 0
    errors: int = 0
    duration_sum_us: int = 0
    durations: DDSketch = field(default_factory=sketch.empty)

    def add(self, event: CallEvent) -> None:
        """Count one more."""
        self.calls += 1
        self.errors += is_error(event)
        self.duration_sum_us += event.duration_us
        self.durations.add(event.duration_us)


@dataclass(slots=True)
class UserTally:
    """Calls of one user."""

    calls: int = 0
    errors: int = 0


class Tallies(NamedTuple):
    """What a batch adds."""

    calls: dict[CallKey, Tally]
    users: dict[UserKey, UserTally]


def is_error(event: CallEvent) -> bool:
    """Whether the server failed: 5xx. A 4xx is an answer."""
    return event.status >= FIRST_ERROR_STATUS


def floor(moment: datetime, step_seconds: int) -> datetime:
    """The start of the step of `step_seconds` that holds `moment`; steps divide the UTC day."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // timedelta(seconds=step_seconds) * timedelta(
        seconds=step_seconds
    )


def tally(counted: Iterable[tuple[datetime, CallEvent]]) -> Tallies:
    """Count events, each under the moment beside it."""
    tallies = Tallies(defaultdict(Tally), defaultdict(UserTally))
    for moment, event in counted:
        minute, hour = floor(moment, MINUTE_SECONDS), floor(moment, HOUR_SECONDS)
        kind = (event.service_name, event.endpoint, event.method, event.status)
        for step, start in ((MINUTE_SECONDS, minute), (HOUR_SECONDS, hour)):
            tallies.calls[CallKey(step, start, *kind)].add(event)
        if event.user_id is not None:
            user = tallies.users[UserKey(hour, event.user_id)]
            user.calls += 1
            user.errors += is_error(event)
    return tallies


def add(connection: Connection, partition: int, tallies: Tallies) -> None:
    """Merge a batch's tallies into the rows of `partition`, which only its recorder writes."""
    _add_calls(connection, partition, tallies.calls)
    _add_users(connection, partition, tallies.users)


def _add_calls(connection: Connection, partition: int, tallies: dict[CallKey, Tally]) -> None:
    if not tallies:
        return
    stored = _stored_sketches(connection, partition, list(tallies))
    rows = []
    for key, added in tallies.items():
        if key in stored:
            sketch.merge_into(added.durations, stored[key])
        rows.append(
            {
                **key._asdict(),
                "partition": partition,
                "calls": added.calls,
                "errors": added.errors,
                "duration_sum_us": added.duration_sum_us,
                "sketch": sketch.to_bytes(added.durations),
            }
        )
    _upsert(
        connection,
        CallStatistics,
        rows,
        sums=("calls", "errors", "duration_sum_us"),
        sets=("sketch",),
    )


def _stored_sketches(
    connection: Connection, partition: int, keys: Sequence[CallKey]
) -> dict[CallKey, bytes]:
    table = CallStatistics
    columns = (
        table.step_seconds,
        table.start,
        table.service_name,
        table.endpoint,
        table.method,
        table.status,
    )
    statement = select(*columns, table.sketch).where(
        table.partition == partition, tuple_(*columns).in_(keys)
    )
    return {CallKey(*row[:-1]): row[-1] for row in connection.execute(statement)}


def _add_users(connection: Connection, partition: int, tallies: dict[UserKey, UserTally]) -> None:
    rows = [
        {**key._asdict(), "partition": partition, "calls": added.calls, "errors": added.errors}
        for key, added in tallies.items()
    ]
    if rows:
        _upsert(connection, UserStatistics, rows, sums=("calls", "errors"), sets=())


def _upsert(
    connection: Connection,
    table: type[CallStatistics] | type[UserStatistics],
    rows: Sequence[dict[str, Any]],
    *,
    sums: Sequence[str],
    sets: Sequence[str],
) -> None:
    """Insert rows; where one exists, add up `sums` and replace `sets`."""
    columns = table.__table__.c
    if connection.dialect.name == "sqlite":
        sqlite = sqlite_insert(table)
        fresh = sqlite.excluded
        changed = {name: columns[name] + fresh[name] for name in sums}
        changed |= {name: fresh[name] for name in sets}
        keys = list(table.__table__.primary_key)
        connection.execute(sqlite.on_conflict_do_update(index_elements=keys, set_=changed), rows)
        return
    mysql = mysql_insert(table)
    changed = {name: columns[name] + mysql.inserted[name] for name in sums}
    changed |= {name: mysql.inserted[name] for name in sets}
    connection.execute(mysql.on_duplicate_key_update(changed), rows)
