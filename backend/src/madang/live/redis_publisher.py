"""The publishing side of the Redis bus, for the API's threads."""

import random
import threading

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from madang.live.frames import Topic
from madang.live.streams import EVENT_FIELD, GAP_FIELD, STREAMS

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 0.25
"""The longest a request waits for Redis, and only the first after Redis has gone."""

FIRST_MEND_SECONDS = 0.2
LONGEST_MEND_SECONDS = 5.0


class RedisPublisher:
    """Appends events to the streams without ever failing or holding up its caller.

    After a failure nothing is sent any more, until a thread of its own has managed to append a
    gap marker to every stream that lost events: what was lost shows as a gap, soon after Redis is
    back, also when nobody publishes.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=PUBLISH_SECONDS,
            socket_connect_timeout=PUBLISH_SECONDS,
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self._lock = threading.Lock()
        self._lost: set[Topic] = set()
        self._mending = False
        self._closed = threading.Event()

    def publish(self, topic: Topic, payload: bytes) -> None:
        """Append one event, or count it among the lost."""
        if self._closed.is_set():
            return
        with self._lock:
            if self._mending:
                self._lost.add(topic)
                return
        try:
            self._append(topic, EVENT_FIELD, payload)
        except RedisError as error:
            log.warning("publish_failed", topic=topic, reason=str(error))
            self._begin_mending(topic)

    def close(self) -> None:
        """Stop mending and let go of the connections."""
        self._closed.set()
        self._redis.close()

    def _append(self, topic: Topic, field: bytes, value: bytes) -> None:
        stream = STREAMS[topic]
        self._redis.xadd(stream.key, {field: value}, maxlen=stream.length, approximate=True)

    def _begin_mending(self, topic: Topic) -> None:
        with self._lock:
            self._lost.add(topic)
            if self._mending:
                return
            self._mending = True
        threading.Thread(target=self._mend, name="board-mend", daemon=True).start()

    def _mend(self) -> None:
        pause = FIRST_MEND_SECONDS
        while not self._closed.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311  # jitter
            if not self._mark_lost():
                pause = min(pause * 2, LONGEST_MEND_SECONDS)
                continue
            with self._lock:
                self._mending = False
            # Once more for what was lost while the first markers were on their way.
            if self._mark_lost():
                log.info("publishing_again")
                return
            with self._lock:
                if self._mending:
                    return
                self._mending = True

    def _mark_lost(self) -> bool:
        """Append a gap marker for every topic that lost events; whether Redis took them all."""
        with self._lock:
            lost, self._lost = self._lost, set()
        try:
            for topic in lost:
                self._append(topic, GAP_FIELD, b"1")
        except RedisError:
            with self._lock:
                self._lost |= lost
            return False
        return True
