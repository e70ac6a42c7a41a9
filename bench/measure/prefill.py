"""Fills history with a month of calls, through the recorder itself, so that statistics fit too."""

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from madang.clock import utc_now
from measure.course import Watch
from measure.events import calls, spread
from measure.recording import Recording
from measure.stand import Stand

DAYS = 30
_RECORDERS = 2
_TELL_EVERY_SECONDS = 10
_PLAN = "prefill.json"
_DURABLE, _WHEN_FILLING = 1, 2
"""What is only being filled need not survive a loss of power."""


class Plan(msgspec.Struct, frozen=True):
    """The stretch of time that the rows fill, kept beside them so that a filling can go on."""

    begin: datetime
    end: datetime
    rows: int


def prefill(stand: Stand, rows: int, place: Path) -> None:
    """See that history holds at least so many rows; what it holds already is kept.

    Args:
        stand: with the database to fill.
        rows: how many.
        place: where the plan is kept; one that was broken off goes on where it ended.
    """
    recording = Recording(stand)
    present = recording.history.rows()
    if present >= rows:
        return
    plan = _plan(place / _PLAN, rows)
    events = calls(
        spread(plan.begin, plan.end, plan.rows, skip=present),
        seed=present,
        bygone=plan.rows // DAYS - present,
    )
    set_flush(stand, _WHEN_FILLING)
    with recording.more_recorders(_RECORDERS) as processes, ThreadPoolExecutor(1) as producer:
        filling = producer.submit(recording.produce, events)
        watch = Watch({process.name: process for process in processes}, recording.recorded)
        tell = _Teller(present, rows)
        watch.until(
            lambda done: tell(done) or (filling.done() and done >= recording.produced),
            every_seconds=1,
        )
        filling.result()
    set_flush(stand, _DURABLE)


def _plan(file: Path, rows: int) -> Plan:
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Plan)
    now = utc_now()
    plan = Plan(now - timedelta(days=DAYS), now, rows)
    file.write_bytes(msgspec.json.encode(plan))
    return plan


class _Teller:
    """Says now and then how far it is."""

    def __init__(self, present: int, rows: int) -> None:
        self._present = present
        self._rows = rows
        self._told = utc_now()

    def __call__(self, recorded: int) -> bool:
        now = utc_now()
        if (now - self._told).total_seconds() >= _TELL_EVERY_SECONDS:
            self._told = now
            sys.stderr.write(f"filling: {self._present + recorded:,} of {self._rows:,} rows\n")
        return False


def set_flush(stand: Stand, value: int) -> None:
    """Set innodb_flush_log_at_trx_commit of the running server."""
    with stand.mariadb.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = %s", (value,))
