"""Redis as a cache: quick to give up, never fatal."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from madang.errors import RedisUnavailableError

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 0.2
PAUSE_SECONDS = 1.0

Answer = TypeVar("Answer")
Monotonic = Callable[[], float]


@contextmanager
def redis_edge() -> Iterator[None]:
    """Turn what the client raises into RedisUnavailableError."""
    try:
        yield
    except RedisError as error:
        raise RedisUnavailableError from error


class CacheRedis:
    """Redis behind a circuit breaker.

    After a failure nothing is asked for `PAUSE_SECONDS`; then one caller tries while the others
    still go without, so a dead or hanging Redis costs one timeout a second and not one a request.
    """

    def __init__(self, redis: Redis, monotonic: Monotonic = time.monotonic) -> None:
        self._redis = redis
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._closed = True
        self._retry_at = 0.0

    @classmethod
    def from_url(cls, url: str) -> "CacheRedis":
        """Connect on first use, with small timeouts and no retries."""
        redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        return cls(redis)

    def ask(self, question: Callable[[Redis], Answer], otherwise: Answer) -> Answer:
        """What Redis answers to `question`, or `otherwise` when it does not answer."""
        if not self._closed and not self._may_try():
            return otherwise
        try:
            answer = question(self._redis)
        except (RedisError, OSError) as error:
            self._open(error)
            return otherwise
        if not self._closed:
            self._closed = True
            log.info("redis_cache_back")
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._redis.close()

    def _may_try(self) -> bool:
        with self._lock:
            now = self._monotonic()
            if now < self._retry_at:
                return False
            self._retry_at = now + PAUSE_SECONDS
            return True

    def _open(self, error: Exception) -> None:
        with self._lock:
            was_closed, self._closed = self._closed, False
            self._retry_at = self._monotonic() + PAUSE_SECONDS
        if was_closed:
            log.warning("redis_cache_unavailable", reason=str(error))
