"""The reading side of the Redis bus: one task that follows both streams into the hub."""

import asyncio
import random
from collections.abc import Sequence
from typing import cast

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from madang.live.frames import TOPICS, Topic, one_line
from madang.live.hub import Hub
from madang.live.streams import EVENT_FIELD, GAP_FIELD, STREAMS

log = structlog.get_logger(__name__)

BLOCK_SECONDS = 2.0
"""How long a read waits for news; also how soon an emptied Redis is noticed."""

PAUSE_SECONDS = 0.02
"""Between two reads under load, so that one read takes several events."""

ANSWER_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.1
LONGEST_RETRY_SECONDS = 5.0
CANCEL_AGAIN_SECONDS = 0.1
ENTRIES_A_READ = 1_000
START = "0-0"

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry's identifier and fields, as the client gives them without decoding."""

Read = tuple[bytes, Sequence[Entry]]
"""A stream's key and its entries."""

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RedisReader:
    """Follows the streams; a cursor is the identifier of a stream's entry.

    Nothing was lost as long as the entry read last is still there, for Redis drops the oldest
    first. When it is not (emptied, restored from an older copy, trimmed past us), the topic is
    loaded anew and open streams are told of a gap.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=BLOCK_SECONDS + ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._read: dict[Topic, str] = {}

    async def run(self, hub: Hub) -> None:
        """Feed `hub` until cancelled; reconnects for ever."""
        following = asyncio.create_task(self._keep_following(hub))
        try:
            await asyncio.shield(following)
        finally:
            # The client swallows a cancellation that meets it in certain steps.
            while not following.done():
                following.cancel()
                await asyncio.wait({following}, timeout=CANCEL_AGAIN_SECONDS)
            await self._redis.aclose()

    async def _keep_following(self, hub: Hub) -> None:
        retry_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._catch_up(hub)
                hub.source_restored()
                retry_seconds = FIRST_RETRY_SECONDS
                await self._follow(hub)
            except (RedisError, OSError) as error:
                hub.source_lost()
                log.warning("live_source_lost", reason=str(error))
            jitter = random.uniform(0.5, 1.0)  # noqa: S311  # no secret
            await asyncio.sleep(retry_seconds * jitter)
            retry_seconds = min(retry_seconds * 2, LONGEST_RETRY_SECONDS)

    async def _catch_up(self, hub: Hub) -> None:
        # A stream without entries proves nothing about what it held while we were away.
        fresh = [topic for topic in TOPICS if self._read.get(topic, START) == START]
        for topic in fresh:
            await self._load(hub, topic)
        await self._load_broken(hub)

    async def _follow(self, hub: Hub) -> None:
        while True:
            news = await self._next_entries()
            broken = await self._load_broken(hub)
            for topic, entries in news.items():
                if topic not in broken:
                    self._accept(hub, topic, entries)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _next_entries(self) -> dict[Topic, Sequence[Entry]]:
        answer = await self._redis.xread(
            {STREAMS[topic].key: self._read[topic] for topic in TOPICS},
            count=ENTRIES_A_READ,
            block=int(BLOCK_SECONDS * 1000),
        )
        found = {key.decode(): entries for key, entries in cast("Sequence[Read]", answer)}
        keys = {topic: STREAMS[topic].key for topic in TOPICS}
        return {topic: found[key] for topic, key in keys.items() if key in found}

    async def _load_broken(self, hub: Hub) -> set[Topic]:
        """Load the topics whose last entry is gone; checked after a read, which it then covers."""
        standing = [topic for topic in TOPICS if self._read[topic] != START]
        if not standing:
            return set()
        pipeline = self._redis.pipeline(transaction=False)
        for topic in standing:
            last = self._read[topic]
            pipeline.xrange(STREAMS[topic].key, last, last, count=1)
        present = await pipeline.execute()
        broken = {topic for topic, found in zip(standing, present, strict=True) if not found}
        for topic in broken:
            log.warning("live_stream_broken", topic=topic, last=self._read[topic])
            await self._load(hub, topic)
        return broken

    async def _load(self, hub: Hub, topic: Topic) -> None:
        stream = STREAMS[topic]
        answer = await self._redis.xrevrange(stream.key, count=stream.length)
        newest_first = cast("Sequence[Entry]", answer)
        self._read[topic] = newest_first[0][0].decode() if newest_first else START
        held: list[tuple[str, bytes]] = []
        for identifier, fields in newest_first:
            if GAP_FIELD in fields:
                break
            payload = _payload(topic, fields)
            if payload is not None:
                held.append((identifier.decode(), payload))
        hub.load(topic, self._read[topic], reversed(held))

    def _accept(self, hub: Hub, topic: Topic, entries: Sequence[Entry]) -> None:
        for identifier, fields in entries:
            cursor = self._read[topic] = identifier.decode()
            if GAP_FIELD in fields:
                hub.load(topic, cursor)
                continue
            payload = _payload(topic, fields)
            if payload is not None:
                hub.add(topic, cursor, payload)


def _payload(topic: Topic, fields: dict[bytes, bytes]) -> bytes | None:
    """The entry's event, unless it would break the JSON of everything sent with it."""
    raw = fields.get(EVENT_FIELD, b"")
    try:
        _object.decode(raw)
    except (msgspec.MsgspecError, UnicodeError):
        log.warning("live_event_malformed", topic=topic)
        return None
    return one_line(raw)
