"""History: the recorded calls as rows. SQL only; the caller's transaction decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, Select, insert, select

from madang.calls.event import CallEvent, first_id_at
from madang.calls.models import Call

OBSERVING_ENDPOINTS = (
    "/api/logs/redis",
    "/api/logs/kafka",
    "/api/logs/kafka/{id}",
    "/api/stats/calls",
)
"""Reads of the log itself, which a page leaves out so that watching does not fill it."""

_COLUMNS = [column for column in Call.__table__.c if column.name != "counted_at"]
_NAMES = [column.name for column in _COLUMNS]
_CALLS = select(*_COLUMNS)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a page of history is narrowed to; None means all."""

    endpoint: str | None = None
    method: str | None = None
    lowest_status: int | None = None
    highest_status: int | None = None
    user_id: str | None = None
    service_name: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    with_log_reads: bool = True


def recorded_ids(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Which of `ids` stand in history already."""
    if not ids:
        return set()
    return set(connection.execute(select(Call.id).where(Call.id.in_(ids))).scalars())


def add(connection: Connection, events: Sequence[tuple[CallEvent, datetime | None]]) -> None:
    """Add events, each with the moment it is counted under if that is not its own time."""
    rows = [
        {
            "id": event.id,
            "timestamp": event.timestamp,
            "service_name": event.service_name,
            "instance": event.instance,
            "method": event.method,
            "endpoint": event.endpoint,
            "path": event.path,
            "status": event.status,
            "duration_us": event.duration_us,
            "user_id": event.user_id,
            "trace_id": event.trace_id,
            "message": event.message,
            "counted_at": counted_at,
        }
        for event, counted_at in events
    ]
    if rows:
        connection.execute(insert(Call), rows)


def page(
    connection: Connection, filters: Filters, *, before: UUID | None, limit: int
) -> list[CallEvent]:
    """Up to `limit` calls, newest first, that began before the call `before`."""
    statement = _filtered(_CALLS, filters)
    if before is not None:
        statement = statement.where(Call.id < before)
    statement = statement.order_by(Call.id.desc()).limit(limit)
    return [_event(row) for row in connection.execute(statement)]


def find(connection: Connection, call_id: UUID) -> CallEvent | None:
    """One call, or None."""
    row = connection.execute(_CALLS.where(Call.id == call_id)).first()
    return None if row is None else _event(row)


def _event(row: Row[Any]) -> CallEvent:
    """By position: a mapping would look every name of every row up."""
    return CallEvent(**dict(zip(_NAMES, row, strict=True)))


def _filtered(
    statement: Select[tuple[object, ...]], filters: Filters
) -> Select[tuple[object, ...]]:
    equal = (
        (Call.endpoint, filters.endpoint),
        (Call.method, filters.method),
        (Call.user_id, filters.user_id),
        (Call.service_name, filters.service_name),
    )
    conditions = [column == wanted for column, wanted in equal if wanted is not None]
    if filters.lowest_status is not None and filters.lowest_status == filters.highest_status:
        conditions.append(Call.status == filters.lowest_status)
    elif filters.lowest_status is not None:
        conditions.append(Call.status.between(filters.lowest_status, filters.highest_status))
    if filters.begin is not None:
        conditions.append(Call.id >= first_id_at(filters.begin))
    if filters.end is not None:
        conditions.append(Call.id < first_id_at(filters.end))
    if not filters.with_log_reads:
        conditions.append(Call.endpoint.not_in(OBSERVING_ENDPOINTS))
    return statement.where(*conditions)
