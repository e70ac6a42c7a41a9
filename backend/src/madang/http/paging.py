"""Opaque cursors: a position in a newest-first list, as text a client hands back unread."""

import base64
import binascii
from typing import TypeVar

import msgspec

from madang.errors import ValidationFailedError

LONGEST_CURSOR = 512

Position = TypeVar("Position", int, str)


def encode_cursor(kind: str, position: int | str) -> str:
    """Write a position; `kind` names the list, so that no other list accepts the cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode((kind, position))).decode().rstrip("=")


def decode_cursor(kind: str, cursor: str, position_type: type[Position]) -> Position:
    """Read a position back.

    Raises:
        ValidationFailedError: `encode_cursor` did not make this cursor for this list.
    """
    if len(cursor) <= LONGEST_CURSOR:
        try:
            padded = cursor.encode() + b"=" * (-len(cursor) % 4)
            raw = base64.b64decode(padded, b"-_", validate=True)
            found, position = msgspec.json.decode(raw, type=tuple[str, int | str])
        except (binascii.Error, UnicodeError, msgspec.MsgspecError):
            pass
        else:
            if found == kind and isinstance(position, position_type):
                return position
    raise ValidationFailedError.of("cursor", "is not a cursor of this list")
