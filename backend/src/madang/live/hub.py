"""The hub: holds the newest events of every topic and gives them to all open streams."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from madang.live.frames import (
    PING,
    TOPICS,
    Change,
    EndReason,
    Topic,
    compose,
    end_frame,
    greeting,
    parse_position,
)
from madang.live.ring import Ring

log = structlog.get_logger(__name__)

HELD_EVENTS: Mapping[Topic, int] = {"calls": 10_000, "messages": 1_000}
FRAME_SECONDS = 0.1
PING_SECONDS = 15.0
QUEUED_FRAMES = 128
"""About 13 s of frames: a client further behind is cut off."""

CATCH_UP_EVENTS = 200
"""How many missed events one server-sent event carries: a client that is cut off while it catches
up goes on from the last one it has whole."""

SHARED_CATCH_UPS = 8
"""From so many places the bytes are kept for the next who comes, until the next frame."""

SOURCE_GRACE_SECONDS = 10.0
"""How long streams outlive a lost source before they end and clients poll instead."""


class Subscription:
    """One stream's frames, in order. Belongs to the event loop."""

    def __init__(self, topics: Sequence[Topic], first: bytes, queued_frames: int) -> None:
        self.topics = tuple(topics)
        self.over = False
        self.cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the client was too slow; nothing more can be sent to it."""
        self._queued_frames = queued_frames
        self._frames = deque([first])
        self._ready = asyncio.Event()
        self._ready.set()

    async def take(self) -> bytes:
        """Everything that waits to be sent, at least one frame; empty bytes when it is over."""
        await self._ready.wait()
        self._ready.clear()
        waiting = b"".join(self._frames)
        self._frames.clear()
        if self.over:
            self._ready.set()
        return waiting

    def offer(self, frame: bytes) -> None:
        """Queue a frame, or cut the client off when too many wait already."""
        if self.over:
            return
        if len(self._frames) >= self._queued_frames:
            self.over = True
            self._frames.clear()
            self.cut.set_result(None)
            log.info("slow_stream_cut", queued_frames=self._queued_frames)
            return
        self._frames.append(frame)
        self._ready.set()

    def end(self, reason: EndReason) -> None:
        """Queue the last event; the stream is over when it has been sent."""
        if not self.over:
            self.over = True
            self._frames.append(end_frame(reason))
            self._ready.set()


@dataclass(slots=True)
class _Feed:
    """One topic: its ring, and how far streams have been served."""

    ring: Ring
    loaded: bool = False
    sent: int = 0
    cursor: str = ""
    gap: bool = False

    def take(self) -> Change | None:
        """What streams have not been given yet, which counts as given from now on."""
        if not self.gap and self.ring.newest == self.sent:
            return None
        events = None if self.gap else self.ring.between(self.sent, self.ring.newest)
        self.sent, self.cursor, self.gap = self.ring.newest, self.ring.cursor, False
        return Change(self.cursor, events or (), gap=events is None)

    def since(self, cursor: str) -> list[Change]:
        """What a stream that stood at `cursor` has missed of what others have been given."""
        after = self.ring.ordinal_of(cursor)
        found = None
        if after is not None:
            found = self.ring.pieces(after, max(after, self.sent), CATCH_UP_EVENTS)
        if found is None:
            return [Change(self.cursor, gap=True)]
        return [Change(reached, events) for reached, events in found]


class Hub:
    """Takes events from one source and fans them out in frames.

    A frame leaves at once when the last is `frame_seconds` old, else as soon as it is; it is
    serialised once for all streams with the same topics. All methods belong to the event loop.
    """

    def __init__(
        self,
        *,
        held_events: Mapping[Topic, int] = HELD_EVENTS,
        frame_seconds: float = FRAME_SECONDS,
        ping_seconds: float = PING_SECONDS,
        queued_frames: int = QUEUED_FRAMES,
        source_grace_seconds: float = SOURCE_GRACE_SECONDS,
    ) -> None:
        self._feeds: dict[Topic, _Feed] = {
            topic: _Feed(Ring(held_events[topic])) for topic in TOPICS
        }
        self._frame_seconds = frame_seconds
        self._ping_seconds = ping_seconds
        self._queued_frames = queued_frames
        self._source_grace_seconds = source_grace_seconds
        self._audiences: dict[tuple[Topic, ...], set[Subscription]] = {}
        self._catch_ups: dict[tuple[tuple[Topic, ...], str], bytes] = {}
        self._next_frame: asyncio.TimerHandle | None = None
        self._last_frame = float("-inf")
        self._source_lost: float | None = None
        self.closed = False

    @property
    def available(self) -> bool:
        """Whether new streams make sense: every topic is loaded and the source is connected."""
        return (
            not self.closed
            and self._source_lost is None
            and all(feed.loaded for feed in self._feeds.values())
        )

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return sum(len(audience) for audience in self._audiences.values())

    def add(self, topic: Topic, cursor: str, payload: bytes) -> None:
        """Take the newest event; `payload` is one line of JSON."""
        self._feeds[topic].ring.add(cursor, payload)
        self._schedule()

    def load(self, topic: Topic, cursor: str, events: Iterable[tuple[str, bytes]] = ()) -> None:
        """Replace what is held of a topic; open streams are told of a gap."""
        feed = self._feeds[topic]
        feed.ring.reset(cursor, events)
        feed.gap = True
        if not feed.loaded:
            feed.loaded = True
            feed.take()
        self._schedule()

    def source_lost(self) -> None:
        """The source does not answer. Streams go on for a while, in case it comes back."""
        if self._source_lost is None:
            self._source_lost = asyncio.get_running_loop().time()

    def source_restored(self) -> None:
        """The source answers, and has told what was missed meanwhile."""
        self._source_lost = None

    def subscribe(self, topics: Sequence[Topic], last_event_id: str | None = None) -> Subscription:
        """Open a stream: what was missed since `last_event_id` or a gap, then all that comes."""
        cursors = {topic: self._feeds[topic].cursor for topic in topics}
        first = self._catch_up(topics, last_event_id) if last_event_id else b""
        first = first or greeting(topics, cursors)
        subscription = Subscription(topics, first, self._queued_frames)
        self._audiences.setdefault(subscription.topics, set()).add(subscription)
        return subscription

    def _catch_up(self, topics: Sequence[Topic], last_event_id: str) -> bytes:
        """What was missed; made once for all that come back from the same place at a time."""
        key = (tuple(topics), last_event_id)
        made = self._catch_ups.get(key)
        if made is None:
            if len(self._catch_ups) >= SHARED_CATCH_UPS:
                self._catch_ups.clear()
            made = self._catch_ups[key] = b"".join(self._missed(topics, last_event_id))
        return made

    def _missed(self, topics: Sequence[Topic], last_event_id: str) -> Iterator[bytes]:
        seen = parse_position(last_event_id)
        missed = {topic: self._feeds[topic].since(seen.get(topic, "")) for topic in topics}
        standing = {topic: seen.get(topic, self._feeds[topic].cursor) for topic in topics}
        gaps = {topic: found[0] for topic, found in missed.items() if found and found[0].gap}
        yield compose(topics, standing, gaps)
        standing.update({topic: gap.cursor for topic, gap in gaps.items()})
        for topic in topics:
            for change in missed[topic] if topic not in gaps else ():
                yield compose(topics, standing, {topic: change})
                standing[topic] = change.cursor

    def leave(self, subscription: Subscription) -> None:
        """Forget a stream that is over."""
        self._audiences.get(subscription.topics, set()).discard(subscription)

    def close(self) -> None:
        """End every stream; none can be opened any more."""
        self.closed = True
        self._end_all()

    async def tend(self) -> None:
        """Ping, and end the streams of a source that stays away; runs until cancelled."""
        loop = asyncio.get_running_loop()
        next_ping = loop.time() + self._ping_seconds
        while True:
            await asyncio.sleep(min(1.0, self._ping_seconds, self._source_grace_seconds))
            lost = self._source_lost
            if lost is not None and loop.time() - lost > self._source_grace_seconds:
                self._end_all()
            if loop.time() >= next_ping:
                next_ping += self._ping_seconds
                self._offer_all(PING)

    def _schedule(self) -> None:
        if self._next_frame is None:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._last_frame + self._frame_seconds)
            self._next_frame = loop.call_at(due, self._send_frame)

    def _send_frame(self) -> None:
        self._next_frame = None
        self._catch_ups.clear()
        self._last_frame = asyncio.get_running_loop().time()
        cursors = {topic: feed.cursor for topic, feed in self._feeds.items()}
        taken = {topic: feed.take() for topic, feed in self._feeds.items()}
        changes = {topic: change for topic, change in taken.items() if change is not None}
        for topics, audience in self._audiences.items():
            frame = compose(topics, cursors, changes)
            if frame:
                for subscription in tuple(audience):
                    subscription.offer(frame)

    def _offer_all(self, frame: bytes) -> None:
        for audience in self._audiences.values():
            for subscription in tuple(audience):
                subscription.offer(frame)

    def _end_all(self) -> None:
        for audience in self._audiences.values():
            for subscription in tuple(audience):
                subscription.end("shutdown")
