"""Statistics of calls: their rows, to which tallies are added and from which questions read.

A row stands for the calls of one kind, or of all, within one minute or one hour, seen through one
partition. All keys are numbers, so they stand in statements as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, func, select

from madang.calls import sketch
from madang.calls.kinds import ALL_KINDS
from madang.calls.models import CallStatistics, UserStatistics
from madang.calls.tallies import HOUR_SECONDS, MINUTE_SECONDS, CallKey, Tallies, UserKey

KEYS_A_QUESTION = 200


def add(connection: Connection, partition: int, tallies: Tallies) -> None:
    """Merge tallies into the rows of `partition`, which only its recorder writes."""
    stored = _stored_sketches(connection, partition, list(tallies.calls))
    rows = []
    for key, added in tallies.calls.items():
        if key in stored:
            added.durations.update(sketch.from_bytes(stored[key]))
        figures = (added.calls, added.errors, added.duration_sum_us)
        rows.append((*key, partition, *figures, sketch.to_bytes(added.durations)))
    _upsert(connection, CALLS, rows)
    users = [
        (*key, partition, added.calls, added.errors) for key, added in sorted(tallies.users.items())
    ]
    _upsert(connection, USERS, users)


@dataclass(frozen=True, slots=True)
class _Table:
    """Which columns are its key, which are added up where a row exists, and which replaced."""

    name: str
    keys: Sequence[str]
    sums: Sequence[str]
    sets: Sequence[str] = ()


CALLS = _Table(
    "call_statistics",
    ("step_seconds", "start", "kind_id", "`partition`"),
    ("calls", "errors", "duration_sum_us"),
    ("sketch",),
)
USERS = _Table("user_statistics", ("start", "user_id", "`partition`"), ("calls", "errors"))


def _upsert(connection: Connection, table: _Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows, values in the order keys, sums, sets; where one exists, add up and replace."""
    if not rows:
        return
    sqlite = connection.dialect.name == "sqlite"
    fresh = "excluded.{0}" if sqlite else "VALUES({0})"
    changes = [f"{name} = {table.name}.{name} + {fresh.format(name)}" for name in table.sums]
    changes += [f"{name} = {fresh.format(name)}" for name in table.sets]
    columns = (*table.keys, *table.sums, *table.sets)
    conflict = f"CONFLICT ({', '.join(table.keys)}) DO UPDATE SET" if sqlite else _DUPLICATE
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({_marks(connection, columns)})"  # noqa: S608  # our own names
        f" ON {conflict} {', '.join(changes)}",
        list(rows),
    )


_DUPLICATE = "DUPLICATE KEY UPDATE"


def _stored_sketches(
    connection: Connection, partition: int, keys: Sequence[CallKey]
) -> dict[CallKey, bytes]:
    found: dict[CallKey, bytes] = {}
    for some in _chunks(keys):
        conditions = " OR ".join(
            f"(step_seconds = {key.step_seconds:d} AND start = {key.start:d}"
            f" AND `partition` = {partition:d} AND kind_id = {key.kind_id:d})"
            for key in some
        )
        rows = connection.exec_driver_sql(
            f"SELECT step_seconds, start, kind_id, sketch FROM call_statistics WHERE {conditions}"  # noqa: S608
        )
        found |= {CallKey(step, start, kind): raw for step, start, kind, raw in rows}
    return found


def _chunks(keys: Sequence[CallKey]) -> Iterator[Sequence[CallKey]]:
    for start in range(0, len(keys), KEYS_A_QUESTION):
        yield keys[start : start + KEYS_A_QUESTION]


By = Literal["endpoint", "user", "status", "service"]
"""What calls may be told apart by."""


class Moment(NamedTuple):
    """All rows of one start: kind, calls, errors and bytes of sketch of each, and the sketches."""

    start: int
    figures: str
    sketches: bytes


class UserPart(NamedTuple):
    """Calls of one user within one slot."""

    slot: int
    user_id: str
    calls: int
    errors: int


@dataclass(frozen=True, slots=True)
class Period:
    """Slots of `slot_seconds` from `begin` to before `end`, read from rows of `step_seconds`."""

    begin: int
    end: int
    slot_seconds: int
    step_seconds: int


STARTS_A_PORTION = 1000


def read(connection: Connection, period: Period, *, by_kind: bool) -> Iterator[list[Moment]]:
    """What was counted in a period, in the order of time: by kind, or of all kinds together.

    In portions of whole slots, so that a long period does not stand in memory all at once.
    """
    slots = max(1, STARTS_A_PORTION * period.step_seconds // period.slot_seconds)
    for begin in range(period.begin, period.end, slots * period.slot_seconds):
        end = min(begin + slots * period.slot_seconds, period.end)
        yield _moments(connection, replace(period, begin=begin, end=end), by_kind=by_kind)


def _moments(connection: Connection, period: Period, *, by_kind: bool) -> list[Moment]:
    """One row a start, so that the database goes along its key and sorts nothing.

    It writes figures and sketches one after the other, both in the order in which it comes upon
    them.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        figures = "GROUP_CONCAT(kind_id||' '||calls||' '||errors||' '||LENGTH(sketch), ' ')"
        sketches = "GROUP_CONCAT(HEX(sketch), '')"
    else:
        figures = (
            "GROUP_CONCAT(kind_id, ' ', calls, ' ', errors, ' ', LENGTH(sketch) SEPARATOR ' ')"
        )
        sketches = "GROUP_CONCAT(sketch SEPARATOR '')"
    rows = connection.exec_driver_sql(
        f"{'' if sqlite else _UNCUT}SELECT start, {figures}, {sketches} FROM call_statistics"  # noqa: S608  # numbers and our own names
        f" WHERE step_seconds = {period.step_seconds:d} AND {_within(period)}"
        f" AND kind_id {'<>' if by_kind else '='} {ALL_KINDS} GROUP BY start ORDER BY start"
    )
    return [
        Moment(int(start), str(found), bytes.fromhex(raw) if sqlite else raw)
        for start, found, raw in rows
    ]


_UNCUT = "SET STATEMENT group_concat_max_len = 1073741824 FOR "


def read_users(connection: Connection, period: Period, most: int) -> tuple[list[UserPart], int]:
    """What was counted in a period, of the users with the most calls; how many there are in all."""
    divided = "/" if connection.dialect.name == "sqlite" else "DIV"
    slot = f"(start - {period.begin:d}) {divided} {period.slot_seconds:d}"
    within = _within(period)
    top = connection.exec_driver_sql(
        f"SELECT user_id, COUNT(*) OVER () FROM user_statistics WHERE {within} GROUP BY user_id"  # noqa: S608
        f" ORDER BY SUM(calls) DESC, user_id LIMIT {most:d}"
    ).all()
    if not top:
        return [], 0
    users = [user for user, _ in top]
    rows = connection.exec_driver_sql(
        f"SELECT {slot} AS slot, user_id, SUM(calls), SUM(errors) FROM user_statistics"  # noqa: S608
        f" WHERE {within} AND user_id IN ({_marks(connection, users)}) GROUP BY slot, user_id",
        tuple(users),
    )
    parts = [UserPart(int(at), name, int(calls), int(errors)) for at, name, calls, errors in rows]
    return parts, int(top[0][1])


def _marks(connection: Connection, values: Sequence[object]) -> str:
    """A place for each value, as the driver writes it."""
    return ", ".join(["?" if connection.dialect.name == "sqlite" else "%s"] * len(values))


def _within(period: Period) -> str:
    return f"start >= {period.begin:d} AND start < {period.end:d}"


def remove(connection: Connection, step_seconds: int, begin: int, end: int) -> None:
    """Take away the rows of a period; by hour, those of users too."""
    connection.execute(
        delete(CallStatistics).where(
            CallStatistics.step_seconds == step_seconds,
            CallStatistics.start >= begin,
            CallStatistics.start < end,
        )
    )
    if step_seconds == HOUR_SECONDS:
        connection.execute(
            delete(UserStatistics).where(UserStatistics.start >= begin, UserStatistics.start < end)
        )


class Totals(NamedTuple):
    """What rows count, over all partitions.

    By call key: calls, errors and the sum of durations. By user and hour: calls and errors.
    """

    calls: dict[CallKey, tuple[int, int, int]]
    users: dict[UserKey, tuple[int, int]]


def totals(connection: Connection, begin: int, end: int) -> Totals:
    """What the rows of a period count: calls by minute and by hour, and users by hour."""
    return Totals(_call_totals(connection, begin, end), _user_totals(connection, begin, end))


def _call_totals(
    connection: Connection, begin: int, end: int
) -> dict[CallKey, tuple[int, int, int]]:
    table = CallStatistics
    keys = (table.step_seconds, table.start, table.kind_id)
    statement = (
        select(
            *keys, func.sum(table.calls), func.sum(table.errors), func.sum(table.duration_sum_us)
        )
        .where(table.step_seconds.in_((MINUTE_SECONDS, HOUR_SECONDS)))
        .where(table.start >= begin, table.start < end)
        .group_by(*keys)
    )
    return {
        CallKey(step, start, kind): (int(calls), int(errors), int(duration))
        for step, start, kind, calls, errors, duration in connection.execute(statement)
    }


def _user_totals(connection: Connection, begin: int, end: int) -> dict[UserKey, tuple[int, int]]:
    table = UserStatistics
    keys = (table.start, table.user_id)
    statement = (
        select(*keys, func.sum(table.calls), func.sum(table.errors))
        .where(table.start >= begin, table.start < end)
        .group_by(*keys)
    )
    return {
        UserKey(start, user_id): (int(calls), int(errors))
        for start, user_id, calls, errors in connection.execute(statement)
    }


def first_start(connection: Connection, step_seconds: int) -> int | None:
    """When the oldest row of a step starts, or None."""
    return connection.execute(
        select(func.min(CallStatistics.start)).where(CallStatistics.step_seconds == step_seconds)
    ).scalar_one_or_none()
