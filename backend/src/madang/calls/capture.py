"""The outermost WSGI layer: times every call, appends its event, and only then lets it answer."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from madang.calls.event import LONGEST_PATH, CallEvent, encode, new_call_id
from madang.calls.spool import SpoolWriter
from madang.clock import Clock
from madang.errors import SpoolError, SpoolFullError
from madang.http.app import ENDPOINT_ENVIRON_KEY, REFUSAL_ENVIRON_KEY
from madang.http.guard import SAFE_METHODS, USER_ENVIRON_KEY
from madang.settings import SpoolPolicy
from madang.telemetry import (
    CALL_LINE,
    Telemetry,
    parse_traceparent,
    traceparent_of,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

CALL_ID_ENVIRON_KEY = "madang.call_id"
"""Where the WSGI environment carries the identifier of the event this call will have."""

Write = Callable[[bytes], object]

CALL_HEADER = "Madang-Call"
MICROSECONDS = 1_000_000
UNMATCHED = "(unmatched)"

_NOT_RECORDED = re.compile(r"/api/(?:health(?:/.*)?|openapi\.json|docs)")
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for a method that is none of HTTP's: clients could make up any number."""

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


@dataclass(slots=True)
class _Answer:
    """What the application gave: its start_response arguments and its whole body."""

    status: str = "500 Internal Server Error"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def code(self) -> int:
        return int(self.status[:3])

    @property
    def request_id(self) -> str:
        return next((value for name, value in self.headers if name == "X-Request-Id"), "")


class CallCapture:
    """Wraps the application so that an answer leaves only after its event is in the spool.

    A call that cannot be recorded is counted, and with the policy `refuse` an unsafe request is
    refused with 503 before it does anything once the spool is full.
    """

    def __init__(
        self,
        application: "WSGIApplication",
        spool: SpoolWriter,
        telemetry: Telemetry,
        clock: Clock,
        *,
        service_name: str,
        instance: str,
        policy: SpoolPolicy = SpoolPolicy.serve,
    ) -> None:
        self._application = application
        self._spool = spool
        self._telemetry = telemetry
        self._clock = clock
        self._service_name = service_name
        self._instance = instance
        self._refuses = policy is SpoolPolicy.refuse
        # An alarm on growth sees none in a count that begins with its first call.
        telemetry.calls_unrecorded.add(0)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        if _NOT_RECORDED.fullmatch(environ.get("PATH_INFO", "")):
            return self._application(environ, start_response)
        began_ns = time.perf_counter_ns()
        moment = self._clock()
        call_id = environ[CALL_ID_ENVIRON_KEY] = new_call_id(moment)
        span = self._start_span(environ)
        with trace.use_span(span, end_on_exit=True):
            answer = self._answer(environ)
            duration_us = (time.perf_counter_ns() - began_ns) // 1000
            context = span.get_span_context()
            method, path = environ["REQUEST_METHOD"], _path(environ)
            user = environ.get(USER_ENVIRON_KEY)
            event = CallEvent(
                id=call_id,
                timestamp=moment,
                service_name=self._service_name,
                instance=self._instance,
                method=method if method in _METHODS else OTHER_METHOD,
                endpoint=_bounded(environ.get(ENDPOINT_ENVIRON_KEY, UNMATCHED), 255),
                path=path,
                status=answer.code,
                duration_us=duration_us,
                user_id=user,
                trace_id=f"{context.trace_id:032x}" if context.is_valid else None,
                message=_line(_bounded(method, 16), path, answer.code, duration_us, user),
            )
            if self._record(event, span):
                answer.headers.append((CALL_HEADER, str(call_id)))
            self._observe(event, span, answer.request_id)
        start_response(answer.status, answer.headers)
        return [answer.body]

    def _answer(self, environ: "WSGIEnvironment") -> _Answer:
        if (
            self._refuses
            and environ["REQUEST_METHOD"] not in SAFE_METHODS
            and self._spool.is_full()
        ):
            environ[REFUSAL_ENVIRON_KEY] = SpoolFullError(
                "Nothing was done: the call could not be recorded"
            )
        answer = _Answer()

        def keep(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Write:
            answer.status, answer.headers = status, list(headers)
            return _refuse_write

        chunks = self._application(environ, keep)
        try:
            answer.body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return answer

    def _record(self, event: CallEvent, span: Span) -> bool:
        began = time.perf_counter()
        try:
            self._spool.append(encode(event), traceparent_of(span))
        except SpoolError as error:
            self._spool.count_unrecorded()
            self._telemetry.calls_unrecorded.add(1)
            log.error("call_unrecorded", call_id=str(event.id), reason=error.detail)
            return False
        if span.is_recording():  # of a tenth of the calls, as the traces are: it costs as much
            self._telemetry.spool_append_duration.record(time.perf_counter() - began)
        return True

    def _start_span(self, environ: "WSGIEnvironment") -> Span:
        return self._telemetry.tracer.start_span(
            environ["REQUEST_METHOD"],
            context=parse_traceparent(environ.get("HTTP_TRACEPARENT", "")),
            kind=SpanKind.SERVER,
        )

    def _observe(self, event: CallEvent, span: Span, request_id: str) -> None:
        attributes: dict[str, str | int] = {
            "http.request.method": event.method,
            "http.route": event.endpoint,
            "http.response.status_code": event.status,
        }
        self._telemetry.request_duration.record(event.duration_us / MICROSECONDS, attributes)
        if span.is_recording():
            span.update_name(f"{event.method} {event.endpoint}")
            span.set_attributes(
                {**attributes, "url.path": event.path, "madang.call": str(event.id)}
            )
            if event.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.set_status(StatusCode.ERROR)
        log.info(
            CALL_LINE,
            request_id=request_id,
            call_id=str(event.id),
            method=event.method,
            endpoint=event.endpoint,
            status=event.status,
            duration_us=event.duration_us,
            user_id=event.user_id,
        )


def _refuse_write(_: bytes) -> None:
    raise NotImplementedError("an application returns its body")


def _bounded(text: str, longest: int) -> str:
    return text[:longest].encode("ascii", "replace").decode() or "-"


def _path(environ: "WSGIEnvironment") -> str:
    """The path without the query, percent-encoded, so ASCII and bounded in bytes."""
    raw = environ.get("PATH_INFO", "").encode("latin-1", "replace")
    return quote(raw, safe=_PATH_CHARACTERS)[:LONGEST_PATH]


def _line(method: str, path: str, code: int, duration_us: int, user: str | None) -> str:
    by = f" by {user}" if user else ""
    return f"{method} {path[:200]} {code} in {duration_us / 1000:.1f} ms{by}"
