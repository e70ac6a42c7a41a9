"""What the ASGI side shares with the API: headers, problem details, probes, requests."""

import asyncio
import io
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ExceptionHandler

from madang.errors import MadangError
from madang.http.app import CONTENT_SECURITY_POLICY
from madang.http.health import Dependency, Health, readiness
from madang.http.problem import (
    BUG,
    PROBLEM_TYPE,
    accepted_request_id,
    http_problem,
    log_failure,
    problem_json,
)

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
}
NO_STORE_HEADERS: Mapping[str, str] = {**SECURITY_HEADERS, "Cache-Control": "no-store"}


def environ_of(request: Request) -> dict[str, Any]:
    """A request without its body as a WSGI environment, for what reads Flask's requests."""
    server_name, server_port = request.scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.url.path,
        "QUERY_STRING": request.url.query,
        "SERVER_NAME": server_name,
        "SERVER_PORT": str(server_port or 0),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client.host if request.client else "",
        "wsgi.url_scheme": request.url.scheme,
        "wsgi.input": io.BytesIO(),
    }
    for name, value in request.headers.items():
        key = "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    return environ


def health_routes(dependencies: Mapping[str, Dependency]) -> list[BaseRoute]:
    """`/api/health/live` and `/api/health/ready`, as the API has them."""
    return probe_routes(lambda: readiness(dependencies))


def probe_routes(ready: Callable[[], Health]) -> list[BaseRoute]:
    """The same two for a process that knows by itself whether it is ready."""

    async def live(_request: Request) -> Response:
        return _health_answer(Health(status="ok"))

    async def say_ready(_request: Request) -> Response:
        return _health_answer(await in_thread(ready))

    return [Route("/api/health/live", live), Route("/api/health/ready", say_ready)]


def probes_app(ready: Callable[[], Health]) -> Starlette:
    """The application of a process that answers nothing but its probes."""
    return Starlette(routes=probe_routes(ready), exception_handlers=PROBLEM_HANDLERS)


async def in_thread(function: Callable[[], Result]) -> Result:
    """Run `function` in a daemon thread: one that hangs never holds up the end of the process."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]  # a Result where there is no error

    def work() -> None:
        result, failure = None, None
        try:
            result = function()
        except Exception as error:  # raised again where it is awaited
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            log.debug("answer_after_the_end")

    threading.Thread(target=work, name="asgi-question", daemon=True).start()
    return await outcome


def _health_answer(health: Health) -> Response:
    status = 200 if health.status == "ok" else 503
    return Response(
        health.model_dump_json(), status, NO_STORE_HEADERS, media_type="application/json"
    )


async def _of_madang(request: Request, error: Exception) -> Response:
    if not isinstance(error, MadangError):
        raise TypeError("a MadangError is expected")
    log_failure(error)
    return _answer(request, error)


async def _of_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError("an HTTPException is expected")
    title = HTTPStatus(error.status_code).phrase
    response = _answer(request, http_problem(error.status_code, title, error.detail))
    response.headers.update(error.headers or {})
    return response


async def _of_bug(request: Request, _error: Exception) -> Response:
    # Starlette raises the error again afterwards, and the server logs it.
    return _answer(request, MadangError(BUG))


PROBLEM_HANDLERS: Mapping[Any, ExceptionHandler] = {
    MadangError: _of_madang,
    HTTPException: _of_http,
    Exception: _of_bug,
}
"""For Starlette's `exception_handlers`: every error as problem details, in the API's shape."""


def _answer(request: Request, error: MadangError) -> Response:
    request_id = accepted_request_id(request.headers.get("x-request-id", ""))
    headers = {**NO_STORE_HEADERS, "X-Request-Id": request_id}
    return Response(problem_json(error, request_id), error.status, headers, media_type=PROBLEM_TYPE)
