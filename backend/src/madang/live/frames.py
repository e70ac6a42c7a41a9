"""Server-sent events as bytes, and the position a client resumes from (pure).

The format is the one of the HTML standard, section 9.2. The `id` of every event carries a cursor
for each topic of the stream: `calls=<cursor>,messages=<cursor>`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from madang.errors import ValidationFailedError

Topic = Literal["calls", "messages"]
TOPICS: tuple[Topic, ...] = ("calls", "messages")

EndReason = Literal["session_ended", "shutdown"]

PING = b": ping\n\n"
LONGEST_POSITION = 256

_CURSOR = re.compile(r"[A-Za-z0-9.-]{1,64}")
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one topic since the last frame.

    `cursor` is where the topic stands afterwards. With `gap` the events between are unknown or not
    sent, and the client reads them again by itself.
    """

    cursor: str
    payloads: Sequence[bytes] = field(default=())
    gap: bool = False


def parse_topics(text: str | None) -> tuple[Topic, ...]:
    """Read `?topics=`; none means all.

    Raises:
        ValidationFailedError: it names a topic that does not exist.
    """
    if text is None:
        return TOPICS
    wanted = {part.strip() for part in text.split(",")}
    if not wanted or not wanted.issubset(TOPICS):
        raise ValidationFailedError.of("topics", f"must be of {', '.join(TOPICS)}")
    return tuple(topic for topic in TOPICS if topic in wanted)


def parse_position(text: str) -> dict[str, str]:
    """Read a Last-Event-ID. What is not a position of ours reads as no cursor at all."""
    if len(text) > LONGEST_POSITION:
        return {}
    pairs = (part.partition("=") for part in text.split(","))
    return {name: cursor for name, _, cursor in pairs if _CURSOR.fullmatch(cursor)}


def position_of(topics: Iterable[Topic], cursors: Mapping[Topic, str]) -> str:
    """Write the cursors of `topics` as an event's id."""
    return ",".join(f"{topic}={cursors[topic]}" for topic in topics)


def compose(
    topics: Sequence[Topic], cursors: Mapping[Topic, str], changes: Mapping[Topic, Change]
) -> bytes:
    """All events of one frame for a stream of `topics` that stood at `cursors`.

    One event a changed topic, and one `gap` for all topics that have one. Each id counts only what
    was sent up to there, so a stream that breaks between two events loses nothing.
    """
    standing = dict(cursors)
    events: list[bytes] = []
    gaps = [topic for topic in topics if topic in changes and changes[topic].gap]
    if gaps:
        standing.update({topic: changes[topic].cursor for topic in gaps})
        events.append(_event("gap", _json({"topics": gaps}), position_of(topics, standing)))
    for topic in topics:
        change = changes.get(topic)
        if change is not None and change.payloads and not change.gap:
            standing[topic] = change.cursor
            array = b"[" + b",".join(change.payloads) + b"]"
            events.append(_event(topic, array, position_of(topics, standing)))
    return b"".join(events)


def greeting(topics: Sequence[Topic], cursors: Mapping[Topic, str]) -> bytes:
    """The first bytes of a stream: its position without an event, for browsers' own reconnect."""
    return f"id: {position_of(topics, cursors)}\n\n".encode()


def end_frame(reason: EndReason) -> bytes:
    """The last event of a stream."""
    return b"event: end\ndata: " + _json({"reason": reason}) + b"\n\n"


def one_line(payload: bytes) -> bytes:
    """JSON without line breaks, which would end an event's data; in JSON they are only space."""
    return payload.translate(_LINE_BREAKS)


def _event(name: str, data: bytes, position: str) -> bytes:
    return f"id: {position}\nevent: {name}\ndata: ".encode() + data + b"\n\n"


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
