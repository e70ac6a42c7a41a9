"""Retention: what is older than it is kept goes, in small portions beside a running recorder."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, delete, select

from madang.calls import statistics
from madang.calls.event import first_id_at
from madang.calls.models import Call, CallAhead, RejectedEvent
from madang.calls.tallies import HOUR_SECONDS, MINUTE_SECONDS, MINUTES_KEPT
from madang.db.engine import Database

CALLS_AT_ONCE = 2000
STATISTICS_SECONDS_AT_ONCE = 6 * HOUR_SECONDS


@dataclass(slots=True)
class Pruned:
    """How many went."""

    calls: int = 0
    rejected: int = 0


def prune(
    database: Database,
    keep: timedelta,
    now: datetime,
    on_progress: Callable[[Pruned], None] = lambda _: None,
) -> Pruned:
    """Remove calls, statistics and rejected events from before the hour that `keep` leads back to.

    Each portion is a transaction of its own, and between two the database has as long for others
    as the first one took. So it may be ended and begun again at any time.

    Raises:
        UnavailableError: the database does not answer; what went before is gone.
    """
    oldest = (now - keep).replace(minute=0, second=0, microsecond=0)
    pruned = Pruned()
    minutes = max(oldest, now - MINUTES_KEPT)
    for remove in (
        partial(_ahead, database, oldest, pruned),
        partial(_calls, database, oldest, pruned),
        partial(_rejected, database, oldest, pruned),
        partial(_statistics, database, MINUTE_SECONDS, minutes),
        partial(_statistics, database, HOUR_SECONDS, oldest),
    ):
        while _in_turn(remove):
            on_progress(pruned)
    return pruned


def _in_turn(remove: Callable[[], bool]) -> bool:
    """Remove one portion, then leave as much time to others; whether there is more."""
    began = time.monotonic()
    more = remove()
    threading.Event().wait(time.monotonic() - began)
    return more


def _calls(database: Database, oldest: datetime, pruned: Pruned) -> bool:
    with database.write() as connection:
        removed = _remove_first(connection, Call.id < first_id_at(oldest))
    pruned.calls += removed
    return removed == CALLS_AT_ONCE


def _remove_first(connection: Connection, which: ColumnElement[bool]) -> int:
    """The first portion of calls, all below the one that it does not take any more."""
    rest = select(Call.id).where(which).order_by(Call.id).offset(CALLS_AT_ONCE).limit(1)
    after = connection.execute(rest).scalar_one_or_none()
    portion = delete(Call).where(which if after is None else Call.id < after)
    return int(connection.execute(portion).rowcount)


def _ahead(database: Database, oldest: datetime, pruned: Pruned) -> bool:
    """Calls dated ahead count, and go, by their receipt."""
    with database.write() as connection:
        ids = list(
            connection.execute(
                select(CallAhead.id).where(CallAhead.counted_at < oldest).limit(CALLS_AT_ONCE)
            ).scalars()
        )
        if ids:
            pruned.calls += int(connection.execute(delete(Call).where(Call.id.in_(ids))).rowcount)
            connection.execute(delete(CallAhead).where(CallAhead.id.in_(ids)))
    return len(ids) == CALLS_AT_ONCE


def _rejected(database: Database, oldest: datetime, pruned: Pruned) -> bool:
    with database.write() as connection:
        ids = list(
            connection.execute(
                select(RejectedEvent.id)
                .where(RejectedEvent.received_at < oldest)
                .order_by(RejectedEvent.id)
                .limit(CALLS_AT_ONCE)
            ).scalars()
        )
        if ids:
            connection.execute(delete(RejectedEvent).where(RejectedEvent.id.in_(ids)))
    pruned.rejected += len(ids)
    return len(ids) == CALLS_AT_ONCE


def _statistics(database: Database, step_seconds: int, end: datetime) -> bool:
    """Some hours of rows, the oldest first."""
    last = int(end.timestamp()) // step_seconds * step_seconds
    with database.write() as connection:
        first = statistics.first_start(connection, step_seconds)
        if first is None or first >= last:
            return False
        statistics.remove(
            connection, step_seconds, first, min(last, first + STATISTICS_SECONDS_AT_ONCE)
        )
    return True
