"""Who may pass."""

import pytest
from flask import Blueprint, Flask, Request

from madang.http.app import create_app
from madang.http.guard import (
    Identity,
    Role,
    current_identity,
    public,
    requires,
)
from madang.http.operation import operation

ROLES = {"member": Role.member, "moderator": Role.moderator, "admin": Role.admin}


def _authenticate(sent: Request) -> Identity | None:
    role = ROLES.get(sent.headers.get("X-Role", ""))
    return None if role is None else Identity(1, "someone", "Someone", role, b"")


def _app(public_url: str | None = None) -> Flask:
    blueprint = Blueprint("things", __name__, url_prefix="/api/things")

    @blueprint.post("/moderated")
    @operation("Moderators only", status=204)
    @requires(Role.moderator)
    def moderated() -> None:
        assert current_identity().role >= Role.moderator

    @blueprint.route("/open", methods=["GET", "POST"])
    @operation("Everybody", status=204)
    @public
    def open_to_all() -> None:
        pass

    @blueprint.get("/careless")
    @operation("Public, and asks for the caller", status=204)
    @public
    def careless() -> None:
        current_identity()

    return create_app([blueprint], _authenticate, public_url)


@pytest.mark.parametrize(
    ("role", "status"), [("", 401), ("member", 403), ("moderator", 204), ("admin", 204)]
)
def test_guard_role_and_above_may_pass(role: str, status: int) -> None:
    answer = _app().test_client().post("/api/things/moderated", headers={"X-Role": role})
    assert answer.status_code == status


def test_guard_public_view_has_no_caller() -> None:
    answer = _app().test_client().get("/api/things/careless")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("public_url", "headers", "status"),
    [
        (None, {}, 204),
        (None, {"Sec-Fetch-Site": "same-origin"}, 204),
        (None, {"Sec-Fetch-Site": "none"}, 204),
        (None, {"Sec-Fetch-Site": "same-site"}, 403),
        (None, {"Sec-Fetch-Site": "cross-site"}, 403),
        (None, {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        (None, {"Origin": "http://localhost"}, 204),
        (None, {"Origin": "http://localhost:8080"}, 403),
        (None, {"Origin": "http://elsewhere.example"}, 403),
        (None, {"Origin": "null"}, 403),
        (None, {"Origin": "http://["}, 403),
        (None, {"Origin": "http://elsewhere.example", "Host": "elsewhere.example"}, 204),
        ("https://madang.example", {"Origin": "https://madang.example"}, 204),
        ("https://madang.example", {"Origin": "http://madang.example"}, 403),
        ("https://madang.example", {"Origin": "http://localhost"}, 403),
    ],
)
def test_guard_unsafe_requests_come_from_this_site(
    public_url: str | None, headers: dict[str, str], status: int
) -> None:
    answer = _app(public_url).test_client().post("/api/things/open", headers=headers)
    assert answer.status_code == status


def test_guard_safe_requests_may_come_from_anywhere() -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "http://elsewhere.example"}
    assert _app().test_client().get("/api/things/open", headers=headers).status_code == 204
