"""How events lie in Redis: one stream a topic.

An entry's field `e` is one event as JSON. An entry with the field `g` instead says that events
were lost before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from madang.calls import recent
from madang.live.frames import Topic

EVENT_FIELD = recent.FIELD
GAP_FIELD = recent.GAP_FIELD


@dataclass(frozen=True, slots=True)
class RedisStream:
    """A stream's key, and how many entries it keeps (roughly, at least)."""

    key: str
    length: int


STREAMS: Mapping[Topic, RedisStream] = {
    "calls": RedisStream(recent.STREAM, recent.MOST_CALLS),
    "messages": RedisStream("madang:board", 1_000),
}
