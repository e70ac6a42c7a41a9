"""What a log line holds and how it is written: one JSON object a line, one write a line."""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
from opentelemetry.trace import get_current_span
from structlog.dev import ConsoleRenderer, plain_traceback

from madang.clock import Clock
from madang.telemetry.context import current_request_id

CALL_LINE = "call"
"""The event of the line that each answered call gets; a terminal does not show it."""

STANDARD_OUTPUT = 1

Line = dict[str, object]
EventDict = MutableMapping[str, Any]

_LONGEST_EXCEPTION = 16_384
_HIDDEN = "[hidden]"
_SECRET_NAMES = frozenset(
    {
        *("password", "current_password", "new_password", "secret", "secret_key"),
        *("token", "session_token", "cookie", "set_cookie", "authorization"),
    }
)
_NOT_FOR_PEOPLE = frozenset({"service_name", "trace_id", "span_id", "request_id"})
_URL_PASSWORD = re.compile(rb"(://[^\s/:@\"]*):[^\s/@\"]+@")


class Fields:
    """Makes the fields of a line from an event.

    First `timestamp` (RFC 3339, UTC, microseconds), `level`, `event` and `service_name`, then
    `trace_id` and `span_id` where a span is current and `request_id` where one is bound, then the
    key-values given. What is named as a secret is hidden.
    """

    def __init__(self, service_name: str, clock: Clock) -> None:
        self._service_name = service_name
        self._clock = clock
        self.export: Callable[[Line], None] | None = None
        """Is given every line besides; set where logs are exported too."""

    def __call__(self, level: str, given: EventDict) -> Line:
        """The fields in the order in which they are written; `given` is used up."""
        moment = self._clock().isoformat(timespec="microseconds")
        line: Line = {
            "timestamp": f"{moment[:-6]}Z",
            "level": level,
            "event": given.pop("event", ""),
            "service_name": self._service_name,
        }
        context = get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
            line["span_id"] = f"{context.span_id:016x}"
        request_id = current_request_id()
        if request_id:
            line["request_id"] = request_id
        if "exc_info" in given:
            exception = exception_text(given.pop("exc_info"))
            if exception:
                line["exception"] = exception
        if not _SECRET_NAMES.isdisjoint(given):
            given = {k: _HIDDEN if k in _SECRET_NAMES else v for k, v in given.items()}
        line.update(given)
        if self.export is not None:
            self.export(line)
        return line


class JsonLines:
    """Turns an event into one line of JSON; never raises, whatever the values are."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def __call__(self, logger: object, method: str, event_dict: EventDict) -> bytes:
        """A structlog processor, the last one."""
        return encode_line(self._fields(method, event_dict))


class ConsoleLines:
    """Turns an event into text for a person at a terminal."""

    def __init__(self, fields: Fields, *, colors: bool) -> None:
        self._fields = fields
        self._render = ConsoleRenderer(colors=colors, exception_formatter=plain_traceback)

    def __call__(self, logger: object, method: str, event_dict: EventDict) -> bytes:
        """A structlog processor, the last one."""
        line = self._fields(method, event_dict)
        shown = {key: value for key, value in line.items() if key not in _NOT_FOR_PEOPLE}
        shown["timestamp"] = f"{str(line['timestamp'])[11:19]}Z"
        return f"{self._render(logger, method, shown)}\n".encode("utf-8", "backslashreplace")


def encode_line(line: Line) -> bytes:
    """One line of JSON with its newline; values that JSON does not know are written as text."""
    try:
        encoded = _encoder.encode(line)
    except (TypeError, ValueError, OverflowError, RecursionError):  # surrogates, cycles, odd keys
        encoded = json.dumps({key: _plain(value) for key, value in line.items()}).encode()
    if b"://" in encoded:
        encoded = _URL_PASSWORD.sub(rb"\1:***@", encoded)
    return encoded + b"\n"


def as_text(value: object) -> str:
    """Any value as text, also one whose own conversion fails."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _plain(value: object) -> str | int | None:
    return value if value is None or isinstance(value, int) else as_text(value)


def exception_text(exc_info: object) -> str:
    """The traceback of an exception, of an `exc_info` triple, or of the one in hand (True)."""
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    elif exc_info and not isinstance(exc_info, BaseException):
        exc_info = sys.exc_info()[1]
    if not isinstance(exc_info, BaseException):
        return ""
    return "".join(traceback.format_exception(exc_info)).rstrip()[-_LONGEST_EXCEPTION:]


def write_line(line: bytes) -> None:
    """Write to standard output at once, so that lines of several processes do not mix.

    The kernel guarantees that up to 4,096 bytes on a pipe.
    """
    try:
        while line:
            line = line[os.write(STANDARD_OUTPUT, line) :]
    except OSError:
        return  # whoever read the log is gone; a request must not fail for that


_encoder = msgspec.json.Encoder(enc_hook=as_text)
