"""`madang record`: the way of a call from Kafka into history."""

from functools import partial

import structlog

from madang.calls.kafka_source import KafkaSource
from madang.calls.recorder import Recorder
from madang.clock import utc_now
from madang.db import migrate as schema
from madang.db.engine import Database, asked_database
from madang.http.asgi import probes_app
from madang.http.health import Dependency
from madang.http.server import serving_beside
from madang.settings import Settings
from madang.signals import stop_event
from madang.system.history_figures import history_figures, waiting_offsets
from madang.system.reports import RedisReports
from madang.system.topic import TopicReach
from madang.telemetry import configure
from madang.wiring import (
    RECORD,
    collect_garbage_rarely,
    instance_of,
    watch_process,
)

log = structlog.get_logger(__name__)


def record(host: str, port: int) -> None:
    """Run `madang record` until it is told to stop, with its probes on `host` and `port`.

    Raises:
        MadangError: a setting is missing, the schema does not fit, or the port cannot be had.
    """
    settings = Settings.load()
    telemetry = configure(RECORD, instance_of(settings), log_level=settings.log_level)
    database = Database(settings.require_database_url(), pool_size=2)
    asked = asked_database(settings.require_database_url())
    schema.check(database)
    topic = TopicReach(settings)
    source = KafkaSource(settings, database, partial(waiting_offsets, asked, topic.ends))
    recorder = Recorder(database, source, telemetry, utc_now)
    telemetry.observe_record_lag(recorder.lag_seconds)
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
    stop = stop_event()
    collect_garbage_rarely()
    with serving_beside(probes_app(watch.ready), host, port), watch.running():
        log.info("recording", topic=settings.kafka_topic)
        recorder.run(stop)
    source.close()
    asked.close()
    database.close()
    telemetry.shutdown()
