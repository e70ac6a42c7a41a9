"""One place that turns errors into RFC 9457 problem details."""

from http import HTTPStatus

import structlog
from flask import Flask, Response, g, json
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException

from madang.errors import FieldError, MadangError

log = structlog.get_logger(__name__)

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


def problem_response(
    code: str, status: int, title: str, detail: str, errors: tuple[FieldError, ...] = ()
) -> Response:
    """Build the answer for one error of the current request."""
    body: dict[str, object] = {
        "type": f"urn:madang:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id", ""),
    }
    if errors:
        body["errors"] = [{"field": item.field, "message": item.message} for item in errors]
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def register_problem_handlers(app: Flask) -> None:
    """Answer every error of `app` with problem details."""
    app.register_error_handler(MadangError, _of_madang)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_bug)


def _of_madang(error: MadangError) -> Response:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_failed", code=error.code, reason=str(error.__cause__ or error))
    return problem_response(error.code, error.status, error.title, error.detail, error.errors)


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    code = _HTTP_CODES.get(status, f"http_{status}")
    response = problem_response(code, status, error.name, error.description or error.name)
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def _of_bug(error: Exception) -> Response:
    log.error("unexpected_error", exc_info=error)
    return problem_response(
        "internal_error", 500, "Internal error", "The server failed; the request id finds its log"
    )
