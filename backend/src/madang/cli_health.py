"""`madang health`: one question to a probe's address, for where there is no HTTP client.

It is asked every few seconds, so it loads neither Flask nor Pydantic (0.1 s instead of 0.4 s).
"""

from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import msgspec

from madang.errors import ConfigurationError, UnavailableError

_LONGEST_ANSWER_BYTES = 65_536


class _Check(msgspec.Struct):
    status: str
    detail: str | None = None


class _Health(msgspec.Struct):
    """What `madang.http.health.Health` looks like on the wire."""

    checks: dict[str, _Check] = {}


def ask(url: str, timeout_seconds: float) -> str:
    """One line that says the address is well.

    Raises:
        ConfigurationError: it is no http address.
        UnavailableError: nothing answers in time, or the answer is not 200; the text says why.
    """
    status, body = _get(url, timeout_seconds)
    if status != HTTPStatus.OK:
        raise UnavailableError(f"{url} answered {status}{_what_is_down(body)}")
    return f"{url} is well"


def _get(url: str, timeout_seconds: float) -> tuple[int, bytes]:
    address = urlsplit(url)
    try:
        host, port = address.hostname, address.port
    except ValueError:
        host, port = None, None
    if address.scheme != "http" or not host:
        raise ConfigurationError(f"{url} is not an address like http://127.0.0.1:5000/api/health")
    connection = HTTPConnection(host, port, timeout=timeout_seconds)
    try:
        connection.request("GET", address.path or "/")
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST_ANSWER_BYTES)
    except (OSError, HTTPException) as error:
        raise UnavailableError(f"{url} does not answer: {error}") from error
    finally:
        connection.close()


def _what_is_down(body: bytes) -> str:
    try:
        checks = msgspec.json.decode(body, type=_Health).checks
    except msgspec.MsgspecError:
        return ""
    down = [
        f"{name} ({check.detail})" if check.detail else name
        for name, check in checks.items()
        if check.status != "ok"
    ]
    return f": {', '.join(down)}" if down else ""
