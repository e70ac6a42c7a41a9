"""`madang prune` and `madang recount`: upkeep of the database, beside the running processes."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click

from madang.accounts.sessions import NoSessionCache
from madang.bootstrap import session_service
from madang.calls import history
from madang.calls import recount as counting
from madang.calls.retention import Pruned
from madang.calls.retention import prune as remove
from madang.calls.tallies import MINUTES_KEPT
from madang.clock import rfc3339, utc_now
from madang.db import migrate as schema
from madang.db.engine import Database
from madang.errors import ConfigurationError
from madang.settings import Settings

PROGRESS_SECONDS = 5.0

_AGE = re.compile(r"([1-9]\d{0,5})([hd])")


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.require_database_url(), pool_size=1)
    try:
        schema.check(database)
        yield database
    finally:
        database.close()


def prune(keep: str) -> None:
    """Remove what is older than `keep`, and say how much that was.

    Raises:
        MadangError: `keep` is no age, or the database does not answer.
    """
    age = _age_of(keep)
    said = time.monotonic()

    def say(pruned: Pruned) -> None:
        nonlocal said
        if time.monotonic() - said > PROGRESS_SECONDS:
            said = time.monotonic()
            click.echo(f"Removed {pruned.calls} calls so far", err=True)

    settings = Settings.load()
    with _database(settings) as database:
        pruned = remove(database, age, utc_now(), say)
        sessions = session_service(settings, database, b"", NoSessionCache()).prune()
    click.echo(
        f"Removed {pruned.calls} calls, {pruned.rejected} rejected events "
        f"and {sessions} expired sessions"
    )


def recount(begin: str | None, end: str | None, *, check_only: bool) -> None:
    """Recount each hour of a period, naming those that had differed.

    Raises:
        MadangError: a time is none, or the database does not answer.
        SystemExit: with 1, where statistics differ and were only checked.
    """
    now = utc_now()
    last = now if end is None else _time_of("--to", end)
    with _database(Settings.load()) as database:
        first = _first_call(database) if begin is None else _time_of("--from", begin)
        calls = differing = 0
        for hour in counting.hours(first or last, last):
            found = counting.recount(
                database, hour, with_minutes=hour > now - MINUTES_KEPT, check_only=check_only
            )
            calls += found.calls
            if found.differences:
                differing += 1
                click.echo(f"{rfc3339(hour)}: {found.differences} rows differed")
    click.echo(f"{calls} calls; statistics of {differing} hours differed")
    if check_only and differing:
        sys.exit(1)


def _first_call(database: Database) -> datetime | None:
    with database.read() as connection:
        return history.first_timestamp(connection)


def _age_of(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise ConfigurationError("--keep: must be a number of days or hours, as 30d or 12h")
    return timedelta(**{"d": {"days": int(match[1])}, "h": {"hours": int(match[1])}}[match[2]])


def _time_of(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{option}: {text} is not a time as 2030-05-17T12:00Z") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
