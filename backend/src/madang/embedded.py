"""`madang serve`: everything in one process, with SQLite and without a broker."""

import fcntl
import ipaddress
import os
import secrets
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import click

from madang.accounts.sessions import NoSessionCache
from madang.bootstrap import (
    build_app,
    captured,
    open_spool,
    session_service,
    spool_check,
    system_service,
)
from madang.calls import history
from madang.calls.event import encode
from madang.calls.history import Filters
from madang.calls.recent import MOST_CALLS, MemoryRecentCalls
from madang.calls.recorder import Recorder
from madang.calls.spool import Reader, SpoolReader, SpoolWriter
from madang.calls.spool_source import SpoolSource
from madang.clock import utc_now
from madang.db import migrate as schema
from madang.db.engine import Database
from madang.errors import ConfigurationError
from madang.http.health import Dependency
from madang.http.server import serve_asgi
from madang.http.spa import embedded_app
from madang.live.app import Live
from madang.live.bus import LocalBus
from madang.settings import Settings
from madang.system.figures import spool_figures
from madang.system.history_figures import history_figures
from madang.system.reports import MemoryReports
from madang.telemetry import Figures, configure
from madang.wiring import instance_of, watch_process

SERVICE = "madang"
API_THREADS = 16
RECORDER_STOP_SECONDS = 1.0
WEB_ROOTS = (
    Path(__file__).parent / "web",
    Path(__file__).parents[3] / "frontend" / "dist",
)
"""Where the built pages are: in an installed package, and in a checkout."""


def serve(host: str, port: int, data: Path) -> None:
    """Run everything until it is told to stop.

    Raises:
        MadangError: a setting is wrong; the port or the data directory cannot be had; the data
            need a newer version.
    """
    lock = take_data_directory(data)
    settings = Settings.load(
        database_url=f"sqlite:///{data / 'madang.db'}", spool_dir=data / "spool"
    )
    telemetry = configure(
        SERVICE, instance_of(settings), embedded=True, log_level=settings.log_level
    )
    database = Database(settings.require_database_url(), pool_size=API_THREADS)
    schema.upgrade(database)
    schema.check(database)
    key = secret_key_of(settings, data)
    sessions = session_service(settings, database, key, NoSessionCache())
    bus, recent, spool = LocalBus(), primed_recent_calls(database), open_spool(settings)

    def tell(events: Sequence[bytes]) -> None:
        recent.add(events)
        for event in events:
            bus.publish("calls", event)

    reports = MemoryReports()
    source = SpoolSource(SpoolReader(data / "spool", Reader.durable), database)
    recorder = Recorder(database, source, telemetry, utc_now, tell)
    dependencies = {
        "database": Dependency(database.ping),
        "spool": Dependency(lambda: spool_check(spool), needed=False),
        "recorder": Dependency(recorder.check, needed=False),
    }
    app, authenticate = build_app(
        settings,
        database,
        sessions,
        recent,
        bus,
        system=system_service(
            settings, database, reports, service_name=SERVICE, expected=[SERVICE]
        ),
        first_pages=None,
        dependencies=dependencies,
        first_becomes_admin=is_loopback(host),
    )
    live = Live(bus, authenticate, sessions.valid_sessions)
    watch = watch_process(
        SERVICE,
        settings,
        telemetry,
        dependencies,
        partial(measure, database, spool, recorder, live),
        reports=reports,
    )

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=recorder.run, args=[stop], name="recorder")
        async with live.running():
            watch.start()
            thread.start()
            try:
                yield
            finally:
                watch.stop()
                spool.close()
                stop.set()
                thread.join(RECORDER_STOP_SECONDS)

    serve_asgi(
        embedded_app(live.routes, captured(settings, app, spool, telemetry), web_root(settings)),
        host,
        port,
        on_stop=live.stop,
        on_ready=lambda bound: click.echo(
            f"Madang is at http://{host}:{bound}/  (Ctrl+C stops it)"
        ),
        lifespan=running,
    )
    database.close()
    telemetry.shutdown(RECORDER_STOP_SECONDS)
    os.close(lock)


def measure(database: Database, spool: SpoolWriter, recorder: Recorder, live: Live) -> Figures:
    """The figures of this process; there is no topic that history could be behind."""
    return {
        **spool_figures(spool.directory, utc_now),
        **recorder.figures(),
        **history_figures(database, None),
        "streams": live.hub.streams,
    }


def take_data_directory(data: Path) -> int:
    """Make the directory and hold it for this process; the descriptor that holds it.

    Raises:
        ConfigurationError: it cannot be written, or another process holds it.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"The data directory {data}: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigurationError(f"Another process holds the data directory {data}") from None
    return descriptor


def secret_key_of(settings: Settings, data: Path) -> bytes:
    """MADANG_SECRET_KEY, or the key made when the data directory was first used."""
    if settings.secret_key is not None:
        return settings.require_secret_key()
    path = data / "secret-key"
    if not path.exists():
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        fresh.rename(path)
    return path.read_bytes()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def primed_recent_calls(database: Database) -> MemoryRecentCalls:
    """The newest calls, as history has them from before."""
    recent = MemoryRecentCalls()
    with database.read() as connection:
        calls = history.page(connection, Filters(), before=None, limit=MOST_CALLS)
    recent.add([encode(call) for call in reversed(calls)])
    return recent


def web_root(settings: Settings) -> Path:
    """Where the built pages are: as set, or where they are found."""
    if settings.web_root is not None:
        return settings.web_root
    return next((root for root in WEB_ROOTS if root.is_dir()), WEB_ROOTS[-1])
