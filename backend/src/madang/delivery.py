"""`madang ship` and `madang record`: the way of a call from the spool into history."""

import gc
import signal
import threading

import structlog

from madang.bootstrap import (
    RECORD,
    REDIS_SECONDS,
    SHIP,
    asked_database,
    instance_of,
    redis_client,
    watch_process,
)
from madang.calls.kafka_source import KafkaSource
from madang.calls.live_shipper import RedisShipper
from madang.calls.recent import RedisRecentCalls
from madang.calls.recorder import Recorder
from madang.calls.shipper import KafkaShipper
from madang.calls.spool import Reader, SpoolReader
from madang.clock import utc_now
from madang.db import migrate as schema
from madang.db.engine import Database
from madang.http.asgi import probes_app
from madang.http.health import Dependency
from madang.http.server import serving_beside
from madang.settings import Settings
from madang.system.figures import history_figures, spool_figures, spool_remark
from madang.system.reports import RedisReports
from madang.system.topic import TopicReach
from madang.telemetry import configure

log = structlog.get_logger(__name__)

OBJECTS_BETWEEN_COLLECTIONS = 100_000


def ship(host: str, port: int) -> None:
    """Run `madang ship` until it is told to stop, with its probes on `host` and `port`.

    Raises:
        MadangError: a setting is missing, the port cannot be had, or the spool cannot be read.
    """
    settings = Settings.load()
    telemetry = configure(SHIP, instance_of(settings), log_level=settings.log_level)
    directory = settings.require_spool_dir()
    directory.mkdir(parents=True, exist_ok=True)
    live_shipper = RedisShipper(
        RedisRecentCalls(redis_client(settings)), SpoolReader(directory, Reader.live)
    )
    shipper = KafkaShipper(
        settings,
        SpoolReader(directory, Reader.durable),
        telemetry,
        key=instance_of(settings),
        live_is_behind=live_shipper.is_behind,
    )
    topic, reports = TopicReach(settings), RedisReports(settings.require_redis_url())
    watch = watch_process(
        SHIP,
        settings,
        telemetry,
        {
            "spool": Dependency(lambda: spool_remark(directory)),
            "kafka": Dependency(topic.check, needed=False),
            "redis": Dependency(reports.check, needed=False),
        },
        lambda: {**spool_figures(directory, utc_now), **shipper.figures()},
        reports=reports,
        topic=topic.ends,
    )
    stop = stop_on_signals()
    collect_garbage_rarely()
    with serving_beside(probes_app(watch.ready), host, port), watch.running():
        thread = threading.Thread(target=live_shipper.run, args=[stop], name="redis", daemon=True)
        thread.start()
        log.info("shipping", spool=str(directory), topic=settings.kafka_topic)
        shipper.run(stop)
        thread.join(REDIS_SECONDS)
    shipper.close()
    telemetry.shutdown()


def record(host: str, port: int) -> None:
    """Run `madang record` until it is told to stop, with its probes on `host` and `port`.

    Raises:
        MadangError: a setting is missing, the schema does not fit, or the port cannot be had.
    """
    settings = Settings.load()
    telemetry = configure(RECORD, instance_of(settings), log_level=settings.log_level)
    database = Database(settings.require_database_url(), pool_size=2)
    asked = asked_database(settings)
    schema.check(database)
    source = KafkaSource(settings, database)
    recorder = Recorder(database, source, telemetry, utc_now)
    telemetry.observe_record_lag(recorder.lag_seconds)
    topic = TopicReach(settings)
    dependencies = {
        "kafka": Dependency(topic.check),
        "database": Dependency(asked.ping),
        "recorder": Dependency(recorder.check, needed=False),
    }
    reports = None
    if settings.redis_url is not None:
        reports = RedisReports(settings.require_redis_url())
        dependencies["redis"] = Dependency(reports.check, needed=False)
    watch = watch_process(
        RECORD,
        settings,
        telemetry,
        dependencies,
        lambda: {**recorder.figures(), **history_figures(asked, topic.ends())},
        reports=reports,
        topic=topic.ends,
    )
    stop = stop_on_signals()
    collect_garbage_rarely()
    with serving_beside(probes_app(watch.ready), host, port), watch.running():
        log.info("recording", topic=settings.kafka_topic)
        recorder.run(stop)
    source.close()
    asked.close()
    database.close()
    telemetry.shutdown()


def collect_garbage_rarely() -> None:
    """For a process that handles events by the thousand, none of which is part of a cycle.

    By default the collector looks through them after every 700: a quarter of a recorder's time.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
