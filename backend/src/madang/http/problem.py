"""One place that turns errors into RFC 9457 problem details."""

import re
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, json
from pydantic import BaseModel
from uuid_utils import uuid7
from werkzeug.exceptions import HTTPException

from madang.errors import MadangError

log = structlog.get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
BUG = "The server failed; the request id finds its log"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HTTP_CODES = {
    400: "malformed_json",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}


class ProblemField(BaseModel):
    """One field of the request and what is wrong with it."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable and meant for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField] | None = None
    request_id: str


def accepted_request_id(offered: str) -> str:
    """The identifier that a client offers where it is one, else a new one."""
    return offered if _REQUEST_ID.fullmatch(offered) else uuid7().hex


def http_problem(status: int, title: str, detail: str) -> MadangError:
    """An error that only HTTP knows, such as a method that is not allowed."""
    problem = MadangError(detail)
    problem.status, problem.title = status, title
    problem.code = _HTTP_CODES.get(status, f"http_{status}")
    return problem


def log_failure(error: MadangError) -> None:
    """Note an error that is the server's fault, with its cause."""
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=error.code, reason=str(error.__cause__ or error))


def problem_json(error: MadangError, request_id: str) -> str:
    """Problem details as JSON."""
    body: dict[str, object] = {
        "type": f"urn:madang:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"field": item.field, "message": item.message} for item in error.errors]
    return json.dumps(body)


def register_problem_handlers(app: Flask) -> None:
    """Answer every error of `app` with problem details."""
    app.register_error_handler(MadangError, _of_madang)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_bug)


def _of_madang(error: MadangError) -> Response:
    log_failure(error)
    return _answer(error)


def _answer(error: MadangError) -> Response:
    body = problem_json(error, g.get("request_id", ""))
    return Response(body, error.status, mimetype=PROBLEM_TYPE)


def _of_http(error: HTTPException) -> Response:
    problem = http_problem(error.code or 500, error.name, error.description or error.name)
    response = _answer(problem)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _of_bug(error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return _answer(MadangError(BUG))
