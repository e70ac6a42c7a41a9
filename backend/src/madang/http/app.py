"""The Flask application's frame. Features arrive as blueprints; it knows none of them."""

from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask.globals import request_ctx
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, UnsupportedMediaType
from werkzeug.routing import IntegerConverter

from madang.errors import MadangError
from madang.http.guard import Authenticate, register_guard
from madang.http.openapi import docs_blueprint, route_template
from madang.http.problem import accepted_request_id, register_problem_handlers
from madang.telemetry import bind_request_id

LARGEST_BODY = 64 * 1024
ENDPOINT_ENVIRON_KEY = "madang.endpoint"
"""Where the WSGI environment carries the route template, for the call log."""

REFUSAL_ENVIRON_KEY = "madang.refusal"
"""Where the WSGI environment carries an error that a request is answered with unheard."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class _JsonProvider(DefaultJSONProvider):
    ensure_ascii = False
    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse; a body nested too deep is malformed, not a fault of ours."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("nested too deep") from None


class _IdConverter(IntegerConverter):
    """`<id:…>`: a row number. What no row can have does not match, however many digits it has."""

    regex = r"[1-9][0-9]{0,17}"


class _Application(Flask):
    json_provider_class = _JsonProvider

    def __init__(self, import_name: str, *, static_folder: str | None) -> None:
        super().__init__(import_name, static_folder=static_folder)
        self.url_map.converters["id"] = _IdConverter


def create_app(
    blueprints: Iterable[Blueprint], authenticate: Authenticate, public_url: str | None = None
) -> Flask:
    """Put the features' blueprints behind the guard, with problem details and OpenAPI.

    Args:
        blueprints: what the features offer, with `/api` in their prefixes.
        authenticate: finds the caller of a request, or None.
        public_url: the origin that browsers use; None means the request's Host.
    """
    app = _Application("madang", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(_begin)
    register_problem_handlers(app)
    register_guard(app, authenticate, public_url)
    for blueprint in (*blueprints, docs_blueprint()):
        app.register_blueprint(blueprint)
    app.after_request(_finish)
    app.teardown_request(lambda _: bind_request_id(""))
    return app


def _begin() -> None:
    offered = request.headers.get("X-Request-Id", "")
    g.request_id = accepted_request_id(offered)
    bind_request_id(g.request_id)
    refusal: MadangError | None = request.environ.get(REFUSAL_ENVIRON_KEY)
    if refusal is not None:
        raise refusal
    if request.content_length and not request.is_json:
        raise UnsupportedMediaType("Send application/json")


def _finish(response: Response) -> Response:
    endpoint = _matched_template(response)
    if endpoint is not None:
        request.environ[ENDPOINT_ENVIRON_KEY] = endpoint
    headers = response.headers
    headers["X-Request-Id"] = g.get("request_id", "")
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _matched_template(response: Response) -> str | None:
    """`/api/messages/{id}`; a path that exists for other methods has its template too."""
    rule = request.url_rule
    adapter = request_ctx.url_adapter
    if rule is None and adapter and response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        for method in adapter.allowed_methods():
            with suppress(HTTPException):  # a converter may refuse what the pattern accepts
                rule, _ = adapter.match(method=method, return_rule=True)
    return None if rule is None else route_template(rule)
