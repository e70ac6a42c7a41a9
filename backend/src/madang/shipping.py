"""`madang ship`: the way of a call from the spool to Kafka and Redis."""

import threading

import structlog

from madang.calls.live_shipper import RedisShipper
from madang.calls.recent import RedisRecentCalls
from madang.calls.shipper import KafkaShipper
from madang.calls.spool import Reader, SpoolReader
from madang.clock import utc_now
from madang.http.asgi import probes_app
from madang.http.health import Dependency
from madang.http.server import serving_beside
from madang.settings import Settings
from madang.signals import stop_event
from madang.system.figures import spool_figures, spool_remark
from madang.system.reports import RedisReports
from madang.system.topic import TopicReach
from madang.telemetry import configure
from madang.wiring import (
    REDIS_SECONDS,
    SHIP,
    collect_garbage_rarely,
    instance_of,
    redis_client,
    watch_process,
)

log = structlog.get_logger(__name__)


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
    stop = stop_event()
    collect_garbage_rarely()
    with serving_beside(probes_app(watch.ready), host, port), watch.running():
        thread = threading.Thread(target=live_shipper.run, args=[stop], name="redis", daemon=True)
        thread.start()
        log.info("shipping", spool=str(directory), topic=settings.kafka_topic)
        shipper.run(stop)
        thread.join(REDIS_SECONDS)
    shipper.close()
    telemetry.shutdown()
