"""What the processes have in common, put together here. Each imports the rest it needs itself."""

import gc
import socket
from collections.abc import Callable, Mapping

import redis

from madang.http.health import Dependency
from madang.settings import Settings
from madang.system.models import TopicEnds
from madang.system.reports import ProcessReports
from madang.system.watch import ProcessWatch
from madang.telemetry import Figures, Telemetry

API, SHIP, RECORD, LIVE = "madang-api", "madang-ship", "madang-record", "madang-live"
SERVICES = (API, SHIP, RECORD, LIVE)
REDIS_SECONDS = 2.0
OBJECTS_BETWEEN_COLLECTIONS = 100_000


def instance_of(settings: Settings) -> str:
    """The name of this pod or host in the call log."""
    return (settings.instance or socket.gethostname())[:128]


def redis_client(settings: Settings) -> redis.Redis:
    """A connection pool that gives up within two seconds."""
    return redis.Redis.from_url(
        settings.require_redis_url(),
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
    )


def watch_process(
    service_name: str,
    settings: Settings,
    telemetry: Telemetry,
    dependencies: Mapping[str, Dependency],
    measure: Callable[[], Figures],
    *,
    reports: ProcessReports | None,
    topic: Callable[[], TopicEnds | None] = lambda: None,
) -> ProcessWatch:
    """A watch over this process, whose figures are metrics too; not started."""
    watch = ProcessWatch(
        service_name, instance_of(settings), dependencies, measure, reports, topic=topic
    )
    telemetry.observe_figures(watch.figures)
    return watch


def collect_garbage_rarely() -> None:
    """For a process that handles events by the thousand, none of which is part of a cycle.

    By default the collector looks through them after every 700: a quarter of a recorder's time.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
