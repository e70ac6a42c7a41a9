"""The request's place in a trace, as text that travels in spool records and Kafka headers."""

import re
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

# https://www.w3.org/TR/trace-context/#traceparent-header: version 00 ends after the flags, a later
# version may go on after a dash, version ff and ids of nothing but zeros are invalid.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?",
    re.DOTALL,
)
_LONGEST_TRACEPARENT = 512
_FLAGS_DIGIT = 54
"""Where the lower half of the flags stands in every valid text."""

_NOT_SAMPLED = frozenset({"", "0", "2", "4", "6", "8", "a", "c", "e"})
_KNOWN_FLAGS = TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID

_request_id: ContextVar[str] = ContextVar("madang_request_id", default="")


def bind_request_id(request_id: str) -> None:
    """Put `request_id` on every log line of this thread or task; an empty one takes it off."""
    _request_id.set(request_id)


def current_request_id() -> str:
    """What `bind_request_id` set in this thread or task, or an empty text."""
    return _request_id.get()


def traceparent_of(span: Span) -> str:
    """The span's place in its trace as a W3C `traceparent`; empty where it has none."""
    context = span.get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current_traceparent() -> str:
    """`traceparent_of` the current span."""
    return traceparent_of(get_current_span())


def parse_traceparent(text: str) -> Context | None:
    """The context to start a child span in; None where `text` is no valid `traceparent`."""
    match = _match(text)
    if match is None:
        return None
    parent = SpanContext(
        trace_id=int(match[1], 16),
        span_id=int(match[2], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match[3], 16) & _KNOWN_FLAGS),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())


def is_sampled(text: str) -> bool:
    """Whether `text` is a valid `traceparent` of a trace that is being recorded.

    Most are not, and one digit says so: it is asked of every call that is shipped and recorded.
    """
    if text[_FLAGS_DIGIT : _FLAGS_DIGIT + 1] in _NOT_SAMPLED:
        return False
    match = _match(text)
    return match is not None and bool(int(match[3], 16) & TraceFlags.SAMPLED)


def _match(text: str) -> re.Match[str] | None:
    if not text or len(text) > _LONGEST_TRACEPARENT:
        return None
    match = _TRACEPARENT.fullmatch(text)
    if match is None or (match[4] is not None and text.startswith("00")):
        return None
    return match
