"""The newest calls, in memory or in a Redis stream: what the live view shows."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import msgspec
import redis

from madang.cache import redis_edge
from madang.calls.event import CallEvent

STREAM = "madang:calls"
FIELD = b"e"
GAP_FIELD = b"g"
MOST_CALLS = 10_000

_decoder = msgspec.json.Decoder(CallEvent)


class RecentCalls(Protocol):
    """The newest 10,000 calls. Best effort: it may miss some and it may be emptied."""

    source: str

    def add(self, events: Sequence[bytes]) -> None:
        """Add calls as JSON, oldest first.

        Raises:
            RedisUnavailableError: they could not be added.
        """

    def newest(self, limit: int) -> list[CallEvent]:
        """Up to `limit` calls, newest first, none twice.

        Raises:
            RedisUnavailableError: the store does not answer.
        """


class MemoryRecentCalls:
    """In this process."""

    source = "memory"

    def __init__(self) -> None:
        self._events: deque[bytes] = deque(maxlen=MOST_CALLS)

    def add(self, events: Sequence[bytes]) -> None:
        """Add calls as JSON, oldest first."""
        self._events.extend(events)

    def newest(self, limit: int) -> list[CallEvent]:
        """Up to `limit` calls, newest first."""
        return _distinct(list(self._events)[: -limit - 1 : -1])


class RedisRecentCalls:
    """In the stream `madang:calls`, one field `e` an entry, about 10,000 entries."""

    source = "redis"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def add(self, events: Sequence[bytes]) -> None:
        """Add calls as JSON, oldest first, in one round trip.

        Raises:
            RedisUnavailableError: they could not be added, or not all.
        """
        with redis_edge(), self._client.pipeline(transaction=False) as pipeline:
            for event in events:
                pipeline.xadd(STREAM, {FIELD: event}, maxlen=MOST_CALLS, approximate=True)
            pipeline.execute()

    def add_gap(self) -> None:
        """Mark that calls before this were never added.

        Raises:
            RedisUnavailableError: it could not be marked.
        """
        with redis_edge():
            self._client.xadd(STREAM, {GAP_FIELD: b"1"}, maxlen=MOST_CALLS, approximate=True)

    def newest(self, limit: int) -> list[CallEvent]:
        """Up to `limit` calls, newest first, none twice.

        Raises:
            RedisUnavailableError: Redis does not answer.
        """
        with redis_edge():
            entries: list[tuple[bytes, dict[bytes, bytes]]]
            entries = self._client.xrevrange(STREAM, count=limit)  # type: ignore[assignment]  # RESP
        return _distinct([fields[FIELD] for _, fields in entries if FIELD in fields])

    def ping(self) -> None:
        """Ask the smallest question.

        Raises:
            RedisUnavailableError: there was no answer.
        """
        with redis_edge():
            self._client.ping()


def _distinct(raw: Sequence[bytes]) -> list[CallEvent]:
    """Decode; a shipper that was killed may have added a call twice."""
    events = (_decoder.decode(item) for item in raw)
    return list({event.id: event for event in events}.values())
