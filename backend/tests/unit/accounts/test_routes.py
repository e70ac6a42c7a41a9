"""Accounts over HTTP."""

import pytest
from flask.testing import FlaskClient

from madang.db.engine import Database
from tests.board import PASSWORD, Board


@pytest.fixture
def kim(board: Board) -> FlaskClient:
    return board.browser("kim")


def test_register_answers_with_the_session_and_its_cookie(board: Board) -> None:
    answer = board.browser().post(
        "/api/users", json={"username": "하늘", "password": PASSWORD, "display_name": "김하늘"}
    )
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["user"] == {
        "username": "하늘",
        "display_name": "김하늘",
        "role": "member",
        "created_at": "2030-05-17T12:00:00.123456Z",
    }
    assert answer.json["session"]["expires_at"] == "2030-06-16T12:00:00.123456Z"
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("madang_session=")
    assert "; HttpOnly; Path=/; SameSite=Lax" in cookie
    assert "Max-Age=2592000" in cookie
    assert "Secure" not in cookie


def test_register_over_https_sets_the_guarded_cookie(database: Database) -> None:
    board = Board(database, public_url="https://madang.example")
    answer = board.browser().post("/api/users", json={"username": "kim", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-madang_session=")
    assert "; Secure; HttpOnly; Path=/; SameSite=Lax" in cookie
    assert "Domain" not in cookie


def test_plain_cookie_over_https_is_ignored(database: Database) -> None:
    board = Board(database, public_url="https://madang.example")
    token = board.accounts.register("kim", PASSWORD).token
    browser = board.app().test_client(use_cookies=False)
    sent = {"Cookie": f"madang_session={token}"}
    assert browser.get("/api/session", headers=sent).status_code == 401
    sent = {"Cookie": f"__Host-madang_session={token}"}
    assert browser.get("/api/session", headers=sent).status_code == 200


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {"username", "password"}),
        ({"username": "a", "password": "b"}, {"username", "password"}),
        ({"username": 5, "password": None}, {"username", "password"}),
        ({"username": "ab", "password": PASSWORD, "role": "admin"}, {"role"}),
        ({"username": "ab", "password": PASSWORD, "display_name": "a\nb"}, {"display_name"}),
        ({"username": "a\x00b", "password": PASSWORD}, {"username"}),
        ({"username": "ab", "password": "pass\x00word"}, {"password"}),
        ({"username": "x" * 33, "password": PASSWORD}, {"username"}),
        ({"username": "x" * 5000, "password": "x" * 129}, {"username", "password"}),
    ],
)
def test_register_against_a_rule_names_the_fields(
    board: Board, sent: dict[str, object], fields: set[str]
) -> None:
    answer = board.browser().post("/api/users", json=sent)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "validation_failed"
    assert {error["field"] for error in answer.json["errors"]} == fields
    assert board.administration.list_users() == []


def test_register_a_lone_surrogate_is_refused(board: Board) -> None:
    answer = board.browser().post(
        "/api/users",
        data=b'{"username": "a\\ud800b", "password": "correct horse"}',
        content_type="application/json",
    )
    assert answer.status_code == 422


def test_register_a_taken_name_is_a_conflict(board: Board, kim: FlaskClient) -> None:
    answer = board.browser().post("/api/users", json={"username": "KIM", "password": PASSWORD})
    assert (answer.status_code, answer.json and answer.json["code"]) == (409, "username_taken")
    assert kim.get("/api/session").status_code == 200


def test_log_in_and_out(board: Board, kim: FlaskClient) -> None:
    other = board.browser()
    wrong = other.post("/api/session", json={"username": "kim", "password": "wrong"})
    assert (wrong.status_code, wrong.json and wrong.json["code"]) == (401, "invalid_credentials")
    assert "Set-Cookie" not in wrong.headers
    right = other.post("/api/session", json={"username": "kim", "password": PASSWORD})
    assert right.status_code == 200
    assert other.get("/api/session").json == right.json
    assert other.delete("/api/session").status_code == 204
    assert other.get("/api/session").status_code == 401
    assert kim.get("/api/session").status_code == 200


def test_log_in_disabled_is_forbidden(board: Board, kim: FlaskClient) -> None:
    board.administration.set_disabled("kim", True)
    answer = board.browser().post("/api/session", json={"username": "kim", "password": PASSWORD})
    assert (answer.status_code, answer.json and answer.json["code"]) == (403, "account_disabled")
    assert kim.get("/api/session").status_code == 401


def test_without_a_session_who_am_i_is_unauthenticated(board: Board) -> None:
    answer = board.browser().get("/api/session")
    assert (answer.status_code, answer.json and answer.json["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize("token", ["", "x", "x" * 4000, "%00", "\xed\x95\x9c", '"quoted', "a=b"])
def test_a_cookie_that_is_no_token_is_unauthenticated(board: Board, token: str) -> None:
    browser = board.app().test_client(use_cookies=False)
    answer = browser.get("/api/session", headers={"Cookie": f"madang_session={token}"})
    assert answer.status_code == 401


def test_own_account_display_name(kim: FlaskClient) -> None:
    answer = kim.patch("/api/users/me", json={"display_name": "김"})
    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["username"], answer.json["display_name"]) == ("kim", "김")
    assert kim.patch("/api/users/me", json={"role": "admin"}).status_code == 422


def test_own_account_password(board: Board, kim: FlaskClient) -> None:
    sent = {"current_password": "wrong", "new_password": "another one"}
    assert kim.put("/api/users/me/password", json=sent).status_code == 401
    sent = {"current_password": PASSWORD, "new_password": "short"}
    assert kim.put("/api/users/me/password", json=sent).status_code == 422
    sent = {"current_password": PASSWORD, "new_password": "another one"}
    assert kim.put("/api/users/me/password", json=sent).status_code == 204
    assert board.accounts.log_in("kim", "another one")


def test_own_sessions_are_listed_and_ended(board: Board, kim: FlaskClient) -> None:
    board.clock.advance(seconds=1)
    other = board.browser()
    headers = {"User-Agent": "Another browser"}
    other.post("/api/session", json={"username": "kim", "password": PASSWORD}, headers=headers)
    listed = kim.get("/api/users/me/sessions").json
    assert listed is not None
    newer, own = listed["items"]
    assert set(own) == {
        "id", "created_at", "last_seen_at", "expires_at", "user_agent", "current",
    }  # fmt: skip
    assert (newer["user_agent"], newer["current"], own["current"]) == (
        "Another browser",
        False,
        True,
    )
    assert kim.delete(f"/api/users/me/sessions/{newer['id']}").status_code == 204
    assert kim.delete(f"/api/users/me/sessions/{newer['id']}").status_code == 404
    assert kim.delete("/api/users/me/sessions/nonsense").status_code == 404
    assert other.get("/api/session").status_code == 401


def test_own_account_deleted(board: Board, kim: FlaskClient) -> None:
    assert kim.delete("/api/users/me", json={"password": "wrong"}).status_code == 401
    answer = kim.delete("/api/users/me", json={"password": PASSWORD})
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert kim.get("/api/session").status_code == 401
    assert board.administration.list_users() == []
