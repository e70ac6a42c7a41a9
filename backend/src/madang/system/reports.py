"""Where processes leave their reports: a hash in Redis, or the memory of the only process."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol, cast

import redis
import structlog
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from madang.cache import redis_edge
from madang.clock import Clock, utc_now
from madang.system.models import ProcessReport

log = structlog.get_logger(__name__)

KEY = "madang:processes"
KEPT = timedelta(hours=1)
"""How long a process that fell silent is listed."""

TIMEOUT_SECONDS = 0.5


class ProcessReports(Protocol):
    """The last report of each process. Best effort: it may be emptied, and fills again."""

    source: str

    def publish(self, report: ProcessReport) -> None:
        """Replace the process' last report.

        Raises:
            RedisUnavailableError: it could not be stored.
        """

    def withdraw(self, service_name: str, instance: str) -> None:
        """Forget a process that has ended in order.

        Raises:
            RedisUnavailableError: it could not be forgotten.
        """

    def read(self) -> Sequence[ProcessReport]:
        """All that are not older than an hour.

        Raises:
            RedisUnavailableError: the store does not answer.
        """


class MemoryReports:
    """In this process."""

    source = "memory"

    def __init__(self) -> None:
        self._reports: dict[str, ProcessReport] = {}
        self._lock = Lock()

    def publish(self, report: ProcessReport) -> None:
        """Replace the process' last report."""
        with self._lock:
            self._reports[_field(report.service_name, report.instance)] = report

    def withdraw(self, service_name: str, instance: str) -> None:
        """Forget a process."""
        with self._lock:
            self._reports.pop(_field(service_name, instance), None)

    def read(self) -> Sequence[ProcessReport]:
        """All of them."""
        with self._lock:
            return list(self._reports.values())


class RedisReports:
    """In the hash `madang:processes`, one field a process, gone an hour after the last report."""

    source = "redis"

    def __init__(self, url: str, clock: Clock = utc_now) -> None:
        """Connects on first use, with small timeouts and no retries."""
        self._clock = clock
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def publish(self, report: ProcessReport) -> None:
        """Replace the process' last report.

        Raises:
            RedisUnavailableError: it could not be stored.
        """
        with redis_edge(), self._redis.pipeline(transaction=False) as pipeline:
            field = _field(report.service_name, report.instance)
            pipeline.hset(KEY, field, report.model_dump_json())
            pipeline.expire(KEY, KEPT)
            pipeline.execute()

    def withdraw(self, service_name: str, instance: str) -> None:
        """Forget a process that has ended in order.

        Raises:
            RedisUnavailableError: it could not be forgotten.
        """
        with redis_edge():
            self._redis.hdel(KEY, _field(service_name, instance))

    def read(self) -> Sequence[ProcessReport]:
        """All that are not older than an hour; older ones are removed.

        Raises:
            RedisUnavailableError: Redis does not answer.
        """
        oldest = self._clock() - KEPT
        with redis_edge():
            stored = cast("dict[bytes, bytes]", self._redis.hgetall(KEY))
            found = {field: _read(raw, oldest) for field, raw in stored.items()}
            if gone := [field for field, report in found.items() if report is None]:
                self._redis.hdel(KEY, *gone)
        return [report for report in found.values() if report is not None]

    def version(self) -> str:
        """The server's.

        Raises:
            RedisUnavailableError: Redis does not answer.
        """
        with redis_edge():
            return str(cast("dict[str, str]", self._redis.info("server"))["redis_version"])

    def check(self) -> None:
        """For readiness.

        Raises:
            RedisUnavailableError: Redis does not answer.
        """
        with redis_edge():
            self._redis.ping()


def _field(service_name: str, instance: str) -> str:
    return f"{service_name}:{instance}"


def _read(raw: bytes, oldest: datetime) -> ProcessReport | None:
    try:
        report = ProcessReport.model_validate_json(raw)
    except ValidationError as error:
        log.warning("process_report_unreadable", problems=error.error_count())
        return None
    return report if report.reported_at >= oldest else None
