"""Puts `madang api` and `madang live` together."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog
from flask import Flask

from madang.accounts.passwords import Passwords
from madang.accounts.routes import accounts_blueprint, authenticator
from madang.accounts.service import AccountService
from madang.accounts.session_service import SessionService
from madang.accounts.sessions import (
    NoSessionCache,
    RedisSessionCache,
    RevocationWatch,
    SessionCache,
)
from madang.cache import CacheRedis
from madang.calls.capture import CallCapture
from madang.calls.recent import RecentCalls, RedisRecentCalls
from madang.calls.routes import logs_blueprint, statistics_blueprint
from madang.calls.service import CallLogService, StatisticsService
from madang.calls.spool import SpoolWriter
from madang.clock import rfc3339, utc_now
from madang.db import migrate as schema
from madang.db.engine import REQUEST_SECONDS, Database, asked_database
from madang.errors import SpoolFullError
from madang.http.app import create_app
from madang.http.guard import Authenticate
from madang.http.health import Dependency, health_blueprint
from madang.http.server import serve_asgi, serve_wsgi
from madang.http.worker import at_worker_end
from madang.live.app import Live, live_app
from madang.live.bus import EventBus
from madang.live.redis_bus import RedisBus
from madang.messages.first_page import FirstPageCache
from madang.messages.models import BoardEvent
from madang.messages.routes import messages_blueprint
from madang.messages.service import MessageService
from madang.settings import Settings
from madang.system.figures import spool_figures
from madang.system.reports import MemoryReports, ProcessReports, RedisReports
from madang.system.routes import system_blueprint
from madang.system.service import SystemService
from madang.system.watch import ProcessWatch
from madang.telemetry import Telemetry, configure
from madang.wiring import API, LIVE, SERVICES, instance_of, redis_client, watch_process

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = structlog.get_logger(__name__)

API_WORKER = "madang.bootstrap:api_worker"
THREADS_VARIABLE = "MADANG_API_THREADS"
STARTED_VARIABLE = "MADANG_API_STARTED_AT"
TELEMETRY_SECONDS = 3.0


def session_service(
    settings: Settings, database: Database, secret_key: bytes, cache: SessionCache
) -> SessionService:
    """Sessions over `database`, as long as the settings say."""
    return SessionService(database, secret_key, cache, days=settings.session_days)


def build_app(
    settings: Settings,
    database: Database,
    sessions: SessionService,
    recent: RecentCalls,
    bus: EventBus,
    *,
    system: SystemService,
    first_pages: FirstPageCache | None,
    dependencies: Mapping[str, Dependency],
    first_becomes_admin: bool = False,
) -> tuple[Flask, Authenticate]:
    """The HTTP API with all its features, and what finds the caller of a request."""

    def publish(event: BoardEvent) -> None:
        bus.publish("messages", msgspec.json.encode(event))

    authenticate = authenticator(sessions, secure=settings.secure_cookies)
    accounts = AccountService(
        database, Passwords(), sessions, first_becomes_admin=first_becomes_admin
    )
    blueprints = (
        accounts_blueprint(accounts, sessions, secure=settings.secure_cookies),
        messages_blueprint(MessageService(database, publish, first_pages)),
        logs_blueprint(CallLogService(database, recent)),
        statistics_blueprint(StatisticsService(database, utc_now)),
        system_blueprint(system),
        health_blueprint(dependencies),
    )
    return create_app(blueprints, authenticate, settings.public_url), authenticate


def captured(
    settings: Settings, app: "WSGIApplication", spool: SpoolWriter, telemetry: Telemetry
) -> "WSGIApplication":
    """The application behind the capture of its calls; bare where the call log is off."""
    if not settings.call_log:
        return app
    return CallCapture(
        app,
        spool,
        telemetry,
        utc_now,
        service_name=API,
        instance=instance_of(settings),
        policy=settings.spool_policy,
    )


def open_spool(settings: Settings) -> SpoolWriter:
    """A writer of this process' own in the spool directory.

    Raises:
        SpoolError: the directory cannot be used.
    """
    return SpoolWriter(
        settings.require_spool_dir(),
        max_bytes=settings.spool_max_bytes,
        segment_bytes=settings.spool_segment_bytes,
    )


def spool_check(spool: SpoolWriter) -> str | None:
    """For readiness: a remark where calls went unrecorded.

    Raises:
        SpoolFullError: the spool has no room.
    """
    if spool.is_full():
        raise SpoolFullError
    unrecorded = spool.unrecorded()
    return f"{unrecorded} calls were answered and not recorded" if unrecorded else None


def api_worker() -> "WSGIApplication":
    """One worker of `madang api`; called in its process."""
    settings = Settings.load()
    # Each worker counts for itself: under one name their counts would overwrite each other.
    worker = f"{instance_of(settings)}-{os.getpid()}"
    telemetry = configure(API, worker, log_level=settings.log_level)
    at_worker_end(partial(telemetry.shutdown, TELEMETRY_SECONDS))
    database = Database(
        settings.require_database_url(),
        pool_size=int(os.environ.get(THREADS_VARIABLE, "4")),
        answer_seconds=REQUEST_SECONDS,
    )
    watch = RevocationWatch(database)
    watch.start()
    url = settings.require_redis_url()
    cache = CacheRedis.from_url(url)
    recent = RedisRecentCalls(redis_client(settings))
    spool = open_spool(settings)
    key, copies = settings.require_secret_key(), RedisSessionCache(cache, watch)
    reports = RedisReports(url)
    dependencies = {
        "database": Dependency(asked_database(settings.require_database_url()).ping),
        "redis": Dependency(recent.ping, needed=False),
        "spool": Dependency(lambda: spool_check(spool), needed=False),
    }
    app, _ = build_app(
        settings,
        database,
        session_service(settings, database, key, copies),
        recent,
        RedisBus(url),
        system=system_service(settings, database, reports, redis_version=reports.version),
        first_pages=FirstPageCache(cache),
        dependencies=dependencies,
    )
    started = os.environ.get(STARTED_VARIABLE)
    process = ProcessWatch(
        API,
        instance_of(settings),
        dependencies,
        lambda: spool_figures(spool.directory, utc_now),
        reports,
        started_at=datetime.fromisoformat(started) if started else None,
    )
    process.start()
    at_worker_end(process.stop)
    return captured(settings, app, spool, telemetry)


def api(host: str, port: int, workers: int, threads: int) -> None:
    """Run `madang api` until it is told to stop.

    Raises:
        MadangError: a setting is missing, the schema does not fit, the port cannot be had.
    """
    settings = Settings.load()
    settings.require_secret_key()
    settings.require_redis_url()
    settings.require_spool_dir()
    configure(API, instance_of(settings), exports=False, log_level=settings.log_level)
    database = Database(settings.require_database_url(), pool_size=1)
    schema.check(database)
    database.close()
    os.environ[THREADS_VARIABLE] = str(threads)
    os.environ[STARTED_VARIABLE] = rfc3339(utc_now())
    serve_wsgi(
        API_WORKER,
        host,
        port,
        workers=workers,
        threads=threads,
        on_ready=lambda: log.info("listening", host=host, port=port, workers=workers),
    )


def live(host: str, port: int) -> None:
    """Run `madang live` until it is told to stop.

    Raises:
        MadangError: a setting is missing, the schema does not fit, the port cannot be had.
    """
    settings = Settings.load()
    telemetry = configure(LIVE, instance_of(settings), log_level=settings.log_level)
    database = Database(settings.require_database_url(), answer_seconds=REQUEST_SECONDS)
    schema.check(database)
    secret_key = settings.require_secret_key()
    sessions = session_service(settings, database, secret_key, NoSessionCache())
    authenticate = authenticator(sessions, secure=settings.secure_cookies)
    feature = Live(RedisBus(settings.require_redis_url()), authenticate, sessions.valid_sessions)
    dependencies = {
        "database": Dependency(asked_database(settings.require_database_url()).ping),
        "redis": Dependency(feature.check),
    }
    watch = watch_process(
        LIVE,
        settings,
        telemetry,
        dependencies,
        lambda: {"streams": feature.hub.streams},
        reports=RedisReports(settings.require_redis_url()),
    )
    with watch.running():
        serve_asgi(
            live_app(feature, dependencies),
            host,
            port,
            on_stop=feature.stop,
            on_ready=lambda bound: log.info("listening", host=host, port=bound),
            lifespan=feature.running,
        )
    telemetry.shutdown()


def system_service(
    settings: Settings,
    database: Database,
    reports: ProcessReports,
    *,
    service_name: str = API,
    expected: Sequence[str] = SERVICES,
    redis_version: Callable[[], str] | None = None,
) -> SystemService:
    """What the page of the system asks; without Redis and brokers where `redis_version` is None."""
    return SystemService(
        database,
        reports,
        settings.require_spool_dir(),
        service_name=service_name,
        instance=instance_of(settings),
        spool_max_bytes=settings.spool_max_bytes,
        expected=expected,
        redis_version=redis_version,
    )


def openapi_document() -> str:
    """The API's description; constructed from code alone, without any service."""
    from madang.calls.recent import MemoryRecentCalls
    from madang.http.openapi import describe
    from madang.live.bus import LocalBus

    settings = Settings.load(public_url=None, spool_dir=Path("never-read"))
    database = Database("sqlite:///never-opened.db")
    app, _ = build_app(
        settings,
        database,
        session_service(settings, database, b"\0" * 32, NoSessionCache()),
        MemoryRecentCalls(),
        LocalBus(),
        system=system_service(settings, database, MemoryReports()),
        first_pages=None,
        dependencies={},
    )
    return json.dumps(describe(app), indent=2, ensure_ascii=False)
