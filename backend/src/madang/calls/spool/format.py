"""How a segment is laid out: its header and its records."""

import enum
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"MDGSPOOL"
VERSION = 1
HEADER_BYTES = 64
SUFFIX = ".segment"
LARGEST_RECORD = 64 * 1024
COUNT = struct.Struct("<Q")
"""A cursor, or a number of calls."""

_HEADER = struct.Struct("<8sII")
_FRAME = struct.Struct("<II")
_TRACE = struct.Struct("<H")
_OUR_HEADER = (MAGIC, VERSION, HEADER_BYTES)


class Reader(enum.IntEnum):
    """Who reads; the value is where the header keeps this reader's cursor."""

    durable = 16
    live = 24


@dataclass(frozen=True, slots=True)
class Record:
    """One call as it stands in a segment; `end` is the offset of the byte after it."""

    event: bytes
    traceparent: str
    end: int


def fresh_header() -> bytes:
    """The header of a segment of which nothing is delivered."""
    header = _HEADER.pack(*_OUR_HEADER) + COUNT.pack(HEADER_BYTES) * len(Reader)
    return header.ljust(HEADER_BYTES, b"\0")


def is_header(raw: bytes) -> bool:
    """Whether a file that begins so is a segment of this version."""
    return len(raw) >= HEADER_BYTES and _HEADER.unpack_from(raw) == _OUR_HEADER


def frame(event: bytes, traceparent: str) -> bytes:
    """One record, ready to append."""
    context = traceparent.encode("ascii")
    rest = _TRACE.pack(len(context)) + context + event
    return _FRAME.pack(len(rest), zlib.crc32(rest)) + rest


def parse(raw: bytes, start: int) -> Iterator[Record]:
    """Whole, intact records at the head of `raw`, which begins at offset `start` of its file."""
    position = 0
    while position + _FRAME.size <= len(raw):
        length, checksum = _FRAME.unpack_from(raw, position)
        begin = position + _FRAME.size
        rest = raw[begin : begin + length]
        if not _TRACE.size <= length <= LARGEST_RECORD or len(rest) < length:
            return
        if zlib.crc32(rest) != checksum:
            return
        (context,) = _TRACE.unpack_from(rest)
        event_at = _TRACE.size + context
        position = begin + length
        yield Record(
            rest[event_at:], rest[_TRACE.size : event_at].decode("ascii"), start + position
        )
