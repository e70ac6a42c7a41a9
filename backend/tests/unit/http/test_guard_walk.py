"""Every route has its guard: what needs no session is named here, and nothing else is open."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from madang.accounts.routes import accounts_blueprint
from madang.calls.recent import MemoryRecentCalls
from madang.calls.routes import logs_blueprint
from madang.calls.service import CallLogService
from madang.http.app import create_app
from madang.http.guard import Identity, Role, is_public
from madang.http.health import health_blueprint
from madang.http.operation import OPERATION
from madang.messages.routes import messages_blueprint
from madang.system.reports import MemoryReports
from madang.system.routes import system_blueprint
from madang.system.service import SystemService
from tests.board import Board

OPEN_TO_ALL = {
    ("POST", "/api/users"),
    ("POST", "/api/session"),
    ("GET", "/api/health/live"),
    ("GET", "/api/health/ready"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/docs"),
}
UNDESCRIBED = {"/api/openapi.json", "/api/docs"}


@pytest.fixture
def app(board: Board) -> Flask:
    """All features' routes, and nobody signed in."""
    return _app_for(board, None)


def _app_for(board: Board, caller: Identity | None) -> Flask:
    system = SystemService(
        board.database,
        MemoryReports(),
        Path("never-read"),
        service_name="madang-api",
        instance="one",
        spool_max_bytes=1,
        expected=(),
    )
    blueprints = (
        accounts_blueprint(board.accounts, board.sessions, secure=False),
        messages_blueprint(board.messages),
        logs_blueprint(CallLogService(board.database, MemoryRecentCalls())),
        system_blueprint(system),
        health_blueprint({}),
    )
    return create_app(blueprints, lambda _request: caller)


def _routes(app: Flask) -> list[tuple[str, Rule]]:
    return [
        (method, rule)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _path(rule: Rule) -> str:
    """The rule's path with something plausible in its places."""
    values = {
        name: _plausible(type(converter).__name__) for name, converter in rule._converters.items()
    }
    built = rule.build(values)
    assert built is not None
    return built[1]


def _plausible(converter: str) -> object:
    return "0198c0de-0000-7000-8000-000000000001" if converter == "UUIDConverter" else 7


def test_guard_open_routes_are_those_named_here(app: Flask) -> None:
    found = {
        (method, rule.rule)
        for method, rule in _routes(app)
        if is_public(app.view_functions[rule.endpoint])
    }
    assert found == OPEN_TO_ALL


def test_guard_refuses_every_other_route_without_a_session(app: Flask) -> None:
    client = app.test_client()
    guarded = [pair for pair in _routes(app) if (pair[0], pair[1].rule) not in OPEN_TO_ALL]
    assert len(guarded) >= 15
    for method, rule in guarded:
        answer = client.open(_path(rule), method=method)
        assert (method, rule.rule, answer.status_code) == (method, rule.rule, 401)
        assert answer.json is not None
        assert answer.json["code"] == "unauthenticated"


@pytest.mark.parametrize("role", [Role.member, Role.moderator])
def test_guard_keeps_everything_below_admin_for_administrators(board: Board, role: Role) -> None:
    app = _app_for(board, replace(board.sign_up("not-an-admin"), role=role))
    administrative = [pair for pair in _routes(app) if pair[1].rule.startswith("/api/admin")]
    assert administrative
    for method, rule in administrative:
        answer = app.test_client().open(_path(rule), method=method)
        assert (method, rule.rule, answer.status_code) == (method, rule.rule, 403)
        assert answer.json is not None
        assert answer.json["code"] == "forbidden"


def test_administrator_passes(board: Board) -> None:
    app = _app_for(board, replace(board.sign_up("an-admin"), role=Role.admin))
    assert app.test_client().get("/api/admin/system").status_code == 200


def test_guard_refuses_every_unsafe_route_from_another_site(app: Flask) -> None:
    client = app.test_client()
    unsafe = [(method, rule) for method, rule in _routes(app) if method != "GET"]
    assert len(unsafe) >= 10
    for method, rule in unsafe:
        answer = client.open(_path(rule), method=method, headers={"Sec-Fetch-Site": "cross-site"})
        assert (method, rule.rule, answer.status_code) == (method, rule.rule, 403)
        assert answer.json is not None
        assert answer.json["code"] == "cross_site_request"


def test_every_route_is_described(app: Flask) -> None:
    described = app.test_client().get("/api/openapi.json").json
    assert described is not None
    for _, rule in _routes(app):
        if rule.rule not in UNDESCRIBED:
            assert OPERATION in app.view_functions[rule.endpoint].__dict__, rule.rule
    operations = [
        operation["operationId"]
        for path in described["paths"].values()
        for operation in path.values()
    ]
    assert len(operations) == len(set(operations)) == len(_routes(app)) - len(UNDESCRIBED)
