"""Bodies of requests at the WSGI edge: every one has a length, and a refused one is read on."""

import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from madang.http.app import LARGEST_BODY

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

DRAINED_BYTES = 8 * 1024 * 1024
_READ_AT_ONCE = 64 * 1024
_TOO_LARGE = "413"


def with_measured_bodies(application: "WSGIApplication") -> "WSGIApplication":
    """Give `application` only bodies with a length, and refused clients their answer.

    A chunked body is read first, up to one byte more than is allowed: Werkzeug cuts a body without
    a length at the limit instead of refusing it. After a 413 up to DRAINED_BYTES more are read:
    servers close a connection whose request was not read to its end, and a client that is still
    sending then sees a broken pipe in place of the answer.
    """

    def measured(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        refused = False

        def watch(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal refused
            refused = status.startswith(_TOO_LARGE)
            return start_response(status, headers, *rest)

        arriving: InputStream = environ["wsgi.input"]
        if environ.pop("HTTP_TRANSFER_ENCODING", None):
            body = _read(arriving, LARGEST_BODY + 1)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        chunks = application(environ, watch)
        if refused:
            _drain(arriving)
        return chunks

    return measured


def _read(stream: "InputStream", size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (part := stream.read(size - len(body))):
        body += part
    return bytes(body)


def _drain(stream: "InputStream") -> None:
    left = DRAINED_BYTES
    while left > 0 and (part := stream.read(_READ_AT_ONCE)):
        left -= len(part)
