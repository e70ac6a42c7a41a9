"""What a spool holds, for whoever looks on: nothing is locked, renamed or moved."""

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from madang.calls.event import milliseconds_of
from madang.calls.spool.format import (
    COUNT,
    HEADER_BYTES,
    LARGEST_RECORD,
    SUFFIX,
    Reader,
    is_header,
    parse,
)
from madang.errors import SpoolError

_LARGEST_FRAME = LARGEST_RECORD + HEADER_BYTES


class _Identified(msgspec.Struct):
    id: UUID


_identified = msgspec.json.Decoder(_Identified)


@dataclass(frozen=True, slots=True)
class SpoolState:
    """The spool at one moment.

    `unsent` is what the durable reader has not delivered, and `oldest_unsent` when the oldest call
    of it began. `unrecorded` counts calls, the rest files.
    """

    total_bytes: int = 0
    unsent_bytes: int = 0
    oldest_unsent: datetime | None = None
    unrecorded: int = 0
    refused: int = 0
    torn: int = 0
    unreadable: int = 0


def spool_state(directory: Path) -> SpoolState:
    """Look at all segments and what was set aside.

    Raises:
        SpoolError: the directory cannot be read.
    """
    try:
        names = os.listdir(directory)
        unrecorded = _count(directory / "unrecorded")
        refused = _files(directory / "refused")
        segments = [_look(directory / name) for name in names if _is_segment(name)]
    except OSError as error:
        raise SpoolError(f"{directory}: {error.strerror}") from error
    moments = [moment for _, _, moment in segments if moment is not None]
    return SpoolState(
        total_bytes=sum(size for size, _, _ in segments),
        unsent_bytes=sum(unsent for _, unsent, _ in segments),
        oldest_unsent=min(moments, default=None),
        unrecorded=unrecorded,
        refused=refused,
        torn=sum(name.endswith(".torn") for name in names),
        unreadable=sum(name.endswith(".unreadable") for name in names),
    )


def _is_segment(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _look(path: Path) -> tuple[int, int, datetime | None]:
    """A segment's size, what of it is unsent, and when the first unsent call began."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0, 0, None  # delivered and deleted meanwhile
    try:
        size = os.fstat(descriptor).st_size
        header = os.pread(descriptor, HEADER_BYTES, 0)
        if not is_header(header):
            return size, 0, None
        (cursor,) = COUNT.unpack_from(header, Reader.durable)
        if cursor >= size:
            return size, 0, None
        record = next(parse(os.pread(descriptor, _LARGEST_FRAME, cursor), cursor), None)
    finally:
        os.close(descriptor)
    return size, size - cursor, None if record is None else _began(record.event)


def _began(event: bytes) -> datetime | None:
    """When a call began, from its identifier; None for what is no call event."""
    try:
        call_id = _identified.decode(event).id
        return datetime.fromtimestamp(milliseconds_of(call_id) / 1000, UTC)
    except (msgspec.MsgspecError, UnicodeError, ValueError, OverflowError):
        return None


def _count(path: Path) -> int:
    with suppress(FileNotFoundError):
        return int(COUNT.unpack(path.read_bytes()[: COUNT.size].ljust(COUNT.size, b"\0"))[0])
    return 0


def _files(directory: Path) -> int:
    with suppress(FileNotFoundError):
        return len(os.listdir(directory))
    return 0
