"""History: the recorded calls as rows. SQL only; the caller's transaction decides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pymysql.converters import escape_string
from sqlalchemy import Connection, Row, insert, select, text
from sqlalchemy.exc import IntegrityError

from madang.calls import kinds
from madang.calls.event import CallEvent, Counted, RecordedCall, first_id_at
from madang.calls.kinds import kind_of, number_of
from madang.calls.models import Call, CallAhead, CallKind

OBSERVING_ENDPOINTS = (
    "/api/logs/redis",
    "/api/logs/kafka",
    "/api/logs/kafka/{id}",
    "/api/stats/calls",
)
"""Reads of the log itself, which a page leaves out so that watching does not fill it."""

MOST_KINDS = 200
"""How many kinds are looked up one by one; more are found by reading rows from the newest on."""

ROWS_A_STATEMENT = 500
"""At their longest, 500 rows are half of the 16 MiB that MariaDB takes in one statement."""

_COLUMNS = [column for column in Call.__table__.c if column.name != "kind_id"]
_NAMES = [column.name for column in _COLUMNS]
_CALLS = select(*_COLUMNS)
_SELECTED = ", ".join(f"calls.{name}" for name in _NAMES)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of history is narrowed to; None means all."""

    service_name: str | None = None
    endpoint: str | None = None
    method: str | None = None
    lowest_status: int | None = None
    highest_status: int | None = None
    user_id: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    with_log_reads: bool = True


def add(connection: Connection, counted: Sequence[Counted]) -> list[Counted]:
    """Add calls whose kinds are known; returns those that history did not have.

    `counted` holds no identifier twice.
    """
    if not counted:
        return []
    try:
        with connection.begin_nested():
            _insert(connection, counted)
    except IntegrityError:  # some came again: rare, so only now is it asked which
        known = recorded_ids(connection, [event.id for event, _ in counted])
        counted = [item for item in counted if item[0].id not in known]
        _insert(connection, counted)
    ahead = [{"id": event.id, "counted_at": at} for event, at in counted if at is not None]
    if ahead:
        connection.execute(insert(CallAhead), ahead)
    return list(counted)


def recorded_ids(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of `ids` stand in history already."""
    return set(connection.execute(select(Call.id).where(Call.id.in_(ids))).scalars())


_INSERTED = (*_NAMES, "kind_id")


def _insert(connection: Connection, counted: Sequence[Counted]) -> None:
    """Past SQLAlchemy's own executemany, which takes as long again as the driver's.

    For MariaDB the rows are written as literals here: its driver escapes value by value, which
    takes longer than the database takes for the row.
    """
    if not counted:
        return
    into = f"INSERT INTO calls ({', '.join(_INSERTED)}) VALUES "  # noqa: S608  # our own names
    if connection.dialect.name == "sqlite":
        marks = f"({', '.join('?' * len(_INSERTED))})"
        connection.exec_driver_sql(into + marks, [_values(*item) for item in counted])
        return
    for start in range(0, len(counted), ROWS_A_STATEMENT):
        rows = ",".join(_literals(*item) for item in counted[start : start + ROWS_A_STATEMENT])
        connection.exec_driver_sql(into + rows.replace("%", "%%"))


def _values(event: CallEvent, counted_at: datetime | None) -> tuple[Any, ...]:
    """In the order of `_INSERTED`."""
    return (
        event.id.bytes,
        _written(event.timestamp),
        event.service_name,
        event.instance,
        event.method,
        event.endpoint,
        event.path,
        event.status,
        event.duration_us,
        event.user_id,
        event.trace_id,
        event.message,
        None if counted_at is None else _written(counted_at),
        number_of(kind_of(event)),
    )


def _literals(event: CallEvent, counted_at: datetime | None) -> str:
    """In the order of `_INSERTED`: numbers, digits, and text that the driver has escaped."""
    trace = "NULL" if event.trace_id is None else f"'{event.trace_id}'"
    ahead = "NULL" if counted_at is None else f"'{_written(counted_at)}'"
    return (
        f"(x'{event.id.hex}','{_written(event.timestamp)}',{_kept(event.service_name)},"
        f"{_kept(event.instance)},{_kept(event.method)},{_kept(event.endpoint)},"
        f"'{escape_string(event.path)}',{event.status:d},{event.duration_us:d},"
        f"{_kept(event.user_id)},{trace},'{escape_string(event.message)}',"
        f"{ahead},{number_of(kind_of(event)):d})"
    )


@lru_cache(maxsize=10_000)
def _kept(text_or_null: str | None) -> str:
    """The literal of a text that many rows share."""
    return "NULL" if text_or_null is None else f"'{escape_string(text_or_null)}'"


def _written(moment: datetime) -> str:
    """A UTC moment as both databases store it, with six digits of microseconds."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def page(
    connection: Connection, filters: Filters, *, before: UUID | None, limit: int
) -> list[RecordedCall]:
    """Up to `limit` calls, newest first, that began before the call `before`.

    The calls of each kind that fits are read from the newest on, and merged; so a page reads no
    row that it does not show, however rare or frequent the kinds are. With a user, that user's
    calls are read from the newest on.
    """
    numbers = _kinds(connection, filters)
    if numbers is not None and not numbers:
        return []
    within = _between(filters, before)
    if filters.user_id is None and numbers is not None and len(numbers) <= MOST_KINDS:
        ids = _merged_ids(connection.dialect.name, numbers, within, limit)
    else:
        ids = _scanned_ids(connection.dialect.name, filters.user_id, numbers, within, limit)
    statement = text(
        f"SELECT {_SELECTED} FROM ({ids}) AS page JOIN calls ON calls.id = page.id "  # noqa: S608
        "ORDER BY calls.id DESC"
    )
    parameters = {} if filters.user_id is None else {"user_id": filters.user_id}
    rows = connection.execute(statement.columns(*_COLUMNS), parameters)
    return [_event(row) for row in rows]


def _kinds(connection: Connection, filters: Filters) -> list[int] | None:
    """The kinds that a page is narrowed to, or None for all."""
    conditions = []
    if filters.service_name is not None:
        conditions.append(CallKind.service_name == filters.service_name)
    if filters.endpoint is not None:
        conditions.append(CallKind.endpoint == filters.endpoint)
    if filters.method is not None:
        conditions.append(CallKind.method == filters.method)
    if filters.lowest_status is not None:
        conditions.append(CallKind.status.between(filters.lowest_status, filters.highest_status))
    if not filters.with_log_reads:
        conditions.append(CallKind.endpoint.not_in(OBSERVING_ENDPOINTS))
    return kinds.matching(connection, *conditions) if conditions else None


def _between(filters: Filters, before: UUID | None) -> str:
    """The identifiers' bounds as SQL; hexadecimal digits are all that comes from outside."""
    bounds = []
    if filters.begin is not None:
        bounds.append(f"id >= x'{first_id_at(filters.begin).hex}'")
    if filters.end is not None:
        bounds.append(f"id < x'{first_id_at(filters.end).hex}'")
    if before is not None:
        bounds.append(f"id < x'{before.hex}'")
    return "".join(f" AND {bound}" for bound in bounds)


def _merged_ids(dialect: str, numbers: Sequence[int], within: str, limit: int) -> str:
    """SQL for the newest identifiers of several kinds, each read from its own end of the index."""
    newest = f"ORDER BY id DESC LIMIT {limit:d}"
    index = "" if dialect == "sqlite" else "FORCE INDEX (ix_calls_kind_id)"
    enclosed = "SELECT id FROM ({})" if dialect == "sqlite" else "({})"
    parts = (
        f"SELECT id FROM calls {index} WHERE kind_id = {number:d}{within} {newest}"  # noqa: S608
        for number in numbers
    )
    return f"{' UNION ALL '.join(map(enclosed.format, parts))} {newest}"


def _scanned_ids(
    dialect: str, user_id: str | None, numbers: Sequence[int] | None, within: str, limit: int
) -> str:
    """SQL for the newest identifiers of a user, or of all, that are of certain kinds, or of any."""
    name = "PRIMARY" if user_id is None else "ix_calls_user_id"
    index = "" if dialect == "sqlite" else f"FORCE INDEX ({name})"
    whose = "1 = 1" if user_id is None else "user_id = :user_id"
    which = "" if numbers is None else f" AND kind_id IN ({', '.join(map(str, numbers))})"
    return (
        f"SELECT id FROM calls {index} WHERE {whose}{which}{within} "  # noqa: S608
        f"ORDER BY id DESC LIMIT {limit:d}"
    )


def find(connection: Connection, call_id: UUID) -> RecordedCall | None:
    """One call, or None."""
    row = connection.execute(_CALLS.where(Call.id == call_id)).first()
    return None if row is None else _event(row)


def first_timestamp(connection: Connection) -> datetime | None:
    """When the oldest call began, or None."""
    return connection.execute(
        select(Call.timestamp).order_by(Call.id).limit(1)
    ).scalar_one_or_none()


def counted_between(
    connection: Connection, begin: datetime, end: datetime, rows_at_once: int
) -> Iterator[list[Counted]]:
    """The calls that statistics count under a moment from `begin` to before `end`, in portions."""
    own = (
        _CALLS.where(Call.counted_at.is_(None))
        .where(Call.id < first_id_at(end))
        .order_by(Call.id)
        .limit(rows_at_once)
    )
    after = first_id_at(begin)
    strictly = False
    while True:
        later = Call.id > after if strictly else Call.id >= after
        rows = connection.execute(own.where(later)).all()
        if not rows:
            break
        yield [(_event(row), None) for row in rows]
        after, strictly = rows[-1].id, True
    ahead = _CALLS.join(CallAhead, CallAhead.id == Call.id).where(
        CallAhead.counted_at >= begin, CallAhead.counted_at < end
    )
    yield [(_event(row), row.counted_at) for row in connection.execute(ahead)]


def _event(row: Row[Any]) -> RecordedCall:
    """By position: a mapping would look every name of every row up."""
    values = dict(zip(_NAMES, row, strict=True))
    if values["counted_at"] is None:
        del values["counted_at"]
    return RecordedCall(**values)
