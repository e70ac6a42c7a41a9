"""The live bench: a thousand streams on one `madang live`.

Starts MariaDB, Redis and `madang live` on free ports, opens the streams, adds calls to Redis as the
shipper does, and takes the time from there to each client. Then it kills `live` under load and lets
every client come back at once. Ends with 1 where a call was missed or a target is.
"""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
from redis import Redis as RedisClient

from madang.accounts import store
from madang.accounts.models import SessionRecord
from madang.accounts.passwords import Passwords
from madang.accounts.routes import session_cookie_name
from madang.accounts.service import AccountService
from madang.accounts.session_service import SessionService
from madang.accounts.sessions import NoSessionCache, new_token, token_digest
from madang.calls.recent import RedisRecentCalls
from madang.clock import utc_now
from madang.db.engine import Database
from measure import BENCH
from measure.crowd import Clients, clients
from measure.live_results import (
    Case,
    LiveResult,
    Parameters,
    Restart,
    Stretch,
    load_live,
    report,
)
from measure.machine import machine, stored_versions
from measure.machine import versions as own_versions
from measure.probes import ONE_PROBE_IN, Calls
from measure.tables import put_between_marks
from measure.usage import Meter
from tests.services.mariadb import mariadb
from tests.services.process import Process
from tests.services.redis import redis
from tests.services.stack import Dependencies, Stack
from tests.services.workspace import temporary_directory

STREAMS = 1_000
PER_SECOND = 200
SESSIONS = (4, 1_000)
SECRET_KEY = secrets.token_urlsafe(48)
WARM_UP_SECONDS = 5.0
RESTART_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
STOP_SECONDS = 15.0
PRECEDENCE = -10
"""In the sense of `nice`, for whole sessions of processes (sched_autogroup)."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs for all cases."""

    directory: Path
    stack: Stack
    database: Database
    servers: dict[str, Process]
    redis_url: str
    versions: dict[str, str]


@contextmanager
def standing(directory: Path) -> Iterator[Stand]:
    """MariaDB and Redis, migrated and empty; `live` is described and does not run."""
    with (
        mariadb(directory / "mariadb", durable=True) as database_server,
        redis(directory / "redis") as redis_server,
        database_server.database("bench") as url,
    ):
        dependencies = Dependencies(url, redis_server.url(), "127.0.0.1:1")
        own = directory / "madang"
        own.mkdir()
        stack = Stack(own, dependencies, environment={"MADANG_SECRET_KEY": SECRET_KEY})
        stack.run("migrate")
        processes = {"mariadb": database_server.process, "redis": redis_server.process}
        servers = {name: process for name, process in processes.items() if process}
        with closing(Database(url)) as database:
            versions = {**own_versions(None), **stored_versions(database_server, redis_server)}
            yield Stand(directory, stack, database, servers, redis_server.url(), versions)


def cookies(stand: Stand, sessions: int) -> Path:
    """Signs one account in so many times; a file with a cookie a line."""
    sessions_of_all = SessionService(stand.database, SECRET_KEY.encode(), NoSessionCache())
    accounts = AccountService(stand.database, Passwords(), sessions_of_all)
    account = accounts.register(f"bench-{uuid4().hex[:8]}", uuid4().hex).user
    now, tokens = utc_now(), [new_token() for _ in range(sessions)]
    with stand.database.write() as connection:
        for token in tokens:
            digest = token_digest(SECRET_KEY.encode(), token)
            ends = now + timedelta(days=1)
            record = SessionRecord(digest, uuid4(), now, now, ends, "bench")
            store.add_session(connection, account.id, record)
    path = stand.directory / f"cookies-{sessions}"
    path.write_text("\n".join(f"{session_cookie_name(False)}={token}" for token in tokens))
    return path


def run(stand: Stand, sessions: int, given: Parameters) -> Case:
    """One case, with `live` started anew."""
    live = stand.stack.live
    live.start()
    if given.precedence:
        set_precedence(PRECEDENCE, os.getpid(), live.pid, stand.servers["redis"].pid)
    try:
        began = time.monotonic()
        with clients(stand.stack.live_port, given.streams, cookies(stand, sessions)) as crowd:
            crowd.until(lambda seen: seen.streams == given.streams, PATIENCE_SECONDS)
            return _case(stand, sessions, given, crowd, time.monotonic() - began)
    finally:
        live.stop(STOP_SECONDS)
        if given.precedence:
            set_precedence(0, os.getpid())


def set_precedence(nice: int, *pids: int) -> None:
    """Let the sessions of these go before whatever else the machine does; needs root."""
    for pid in pids:
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _case(
    stand: Stand, sessions: int, given: Parameters, crowd: Clients, opening_seconds: float
) -> Case:
    idle = stretch(stand, crowd, given.seconds)
    with RedisClient.from_url(stand.redis_url) as client:
        calls = Calls(RedisRecentCalls(client), given.per_second)
        calls.start()
        try:
            time.sleep(WARM_UP_SECONDS)
            load = stretch(stand, crowd, given.seconds, calls)
            restart = restarted(stand, crowd, given)
            time.sleep(RESTART_SECONDS)
        finally:
            calls.stop()
    wanted = calls.probes * given.streams
    time.sleep(RESTART_SECONDS)  # what is not there by now is missing
    seen = crowd.count()
    return Case(
        sessions, round(opening_seconds, 2), idle, load, restart, wanted, seen.probes, seen.repeated
    )


def stretch(stand: Stand, crowd: Clients, seconds: float, calls: Calls | None = None) -> Stretch:
    """Let some time pass and say what it took."""
    before, cpu_before, added_before = (
        crowd.report(),
        crowd.cpu_seconds,
        calls.added if calls else 0,
    )
    meter = Meter({"live": stand.stack.live, **stand.servers})
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    uses, other = meter.read()
    client_seconds = round(crowd.cpu_seconds - cpu_before, 2)
    after = crowd.report()
    return Stretch(
        round(took, 3),
        calls.added - added_before if calls else 0,
        after.delays,
        uses,
        client_seconds,
        round(max(0.0, other - client_seconds), 2),
        after.received_bytes - before.received_bytes,
        after.pings - before.pings,
    )


def restarted(stand: Stand, crowd: Clients, given: Parameters) -> Restart:
    """Kill `live`, start it, and wait until every client is back."""
    live, before = stand.stack.live, crowd.count()
    began = time.monotonic_ns()
    live.kill()
    live.spawn()
    if given.precedence:
        set_precedence(PRECEDENCE, live.pid)
    live.wait_ready()
    ready = time.monotonic_ns()
    seen = crowd.until(
        lambda seen: seen.streams == given.streams and seen.opened >= before.opened + given.streams,
        PATIENCE_SECONDS,
    )
    return Restart(
        round((ready - began) / 1e9, 2),
        round(max(0, seen.last_open_ns - ready) / 1e9, 2),
        seen.gaps - before.gaps,
    )


def measure(given: Parameters) -> LiveResult:
    """Start what is needed, run the cases, stop everything."""
    with temporary_directory() as directory, standing(directory) as stand:
        cases = [run(stand, sessions, given) for sessions in SESSIONS]
        return LiveResult(
            datetime.now(UTC).date().isoformat(), machine(), stand.versions, given, cases
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--streams", type=int, default=STREAMS)
    made.add_argument("--per-second", type=int, default=PER_SECOND, help="calls")
    made.add_argument("--seconds", type=float, default=30, help="idle, and again under load")
    made.add_argument(
        "--precedence",
        action="store_true",
        help="let what is measured go before what else the machine does",
    )
    made.add_argument("--out", type=Path, help="default: results/<date>-live.json here")
    made.add_argument("--publish", action="store_true", help="write the table into README.md here")
    made.add_argument("--render", type=Path, metavar="JSON", help="measure nothing, show this")
    return made


def main() -> int:
    """Measure or show, and say whether all is well."""
    given = parser().parse_args()
    if given.render:
        result = load_live(given.render)
    else:
        result = measure(
            Parameters(
                given.streams, given.per_second, given.seconds, ONE_PROBE_IN, given.precedence
            )
        )
        out = given.out or BENCH / "results" / f"{result.date}-live.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    print(report(result))
    if given.publish:
        put_between_marks(BENCH / "README.md", "live", report(result))
    return 1 if result.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
