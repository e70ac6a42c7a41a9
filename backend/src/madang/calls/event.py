"""The call event: one answered API call, as it stands in the spool, in `api-logs` and in history.

The identifier is a UUID of version 7 (RFC 9562) whose twelve bits after the milliseconds hold the
fraction of the millisecond (method 3 there), so that identifiers sort as their times do.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

LONGEST_PATH = 2048
LONGEST_DURATION_US = 10**12
LARGEST_EVENT = 16 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_VERSION_7 = 7


class RejectedEventError(ValueError):
    """Some bytes are no call event; the text says why."""


class CallEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One answered call, schema 1. Every field is bounded; none holds a secret."""

    id: UUID
    timestamp: Annotated[datetime, Meta(tz=True)]
    service_name: Annotated[str, Meta(min_length=1, max_length=64)]
    instance: Annotated[str, Meta(min_length=1, max_length=128)]
    method: Annotated[str, Meta(min_length=1, max_length=16)]
    endpoint: Annotated[str, Meta(min_length=1, max_length=255)]
    path: Annotated[str, Meta(max_length=LONGEST_PATH)]
    status: Annotated[int, Meta(ge=100, le=599)]
    duration_us: Annotated[int, Meta(ge=0, le=LONGEST_DURATION_US)]
    user_id: Annotated[str, Meta(max_length=64)] | None = None
    trace_id: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")] | None = None
    message: Annotated[str, Meta(max_length=512)]
    schema: Literal[1] = 1


class RecordedCall(CallEvent, frozen=True, kw_only=True):
    """A call as history has it."""

    counted_at: datetime | UnsetType = UNSET
    """Where the sender's clock ran ahead: the receipt, under which statistics count it."""


Counted = tuple[CallEvent, datetime | None]
"""A call, and the moment it is counted under if that is not its own."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(CallEvent)


def new_call_id(moment: datetime) -> UUID:
    """An identifier for a call that began at `moment`."""
    microseconds = (moment - _EPOCH) // _MICROSECOND
    milliseconds, rest = divmod(microseconds, 1000)
    fraction = rest * 4096 // 1000
    tail = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return UUID(int=milliseconds << 80 | _VERSION_7 << 76 | fraction << 64 | 2 << 62 | tail)


def milliseconds_of(call_id: UUID) -> int:
    """The milliseconds since 1970 that a version 7 identifier carries."""
    return call_id.int >> 80


def first_id_at(moment: datetime) -> UUID:
    """The smallest identifier a call that began at `moment` or later can have."""
    microseconds = max(0, (moment - _EPOCH) // _MICROSECOND)
    milliseconds, rest = divmod(microseconds, 1000)
    return UUID(int=min(milliseconds, 2**48 - 1) << 80 | 7 << 76 | (rest * 4096 // 1000) << 64)


def encode(event: CallEvent) -> bytes:
    """The event as JSON."""
    return _encoder.encode(event)


def decode(raw: bytes) -> CallEvent:
    """Read an event from anywhere; its timestamp is in UTC whatever zone it was written in.

    Raises:
        RejectedEventError: it is malformed, too large, of an unknown schema, or its identifier does
            not carry its timestamp.
    """
    if len(raw) > LARGEST_EVENT:
        raise RejectedEventError(f"{len(raw)} bytes are more than {LARGEST_EVENT}")
    try:
        event = _decoder.decode(raw)
        timestamp = event.timestamp.astimezone(UTC)
    except (msgspec.MsgspecError, UnicodeError, OverflowError) as error:
        raise RejectedEventError(str(error)[:500]) from None
    if event.id.version != _VERSION_7:
        raise RejectedEventError("id is not a UUID of version 7")
    if (timestamp - _EPOCH) // timedelta(milliseconds=1) != milliseconds_of(event.id):
        raise RejectedEventError("id does not carry the timestamp")
    if event.timestamp.tzinfo is UTC:
        return event
    return msgspec.structs.replace(event, timestamp=timestamp)
