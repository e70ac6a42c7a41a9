"""Messages over HTTP."""

import json
from urllib.parse import urlencode
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from madang.messages.routes import MessageAnswer, MessageList
from tests.board import Board


@pytest.fixture
def kim(board: Board) -> FlaskClient:
    return board.browser("kim")


def _nothing_stored(board: Board) -> bool:
    return board.messages.page(1).total == 0


def test_post_is_created_at_its_location(kim: FlaskClient) -> None:
    answer = kim.post("/api/messages", json={"body": "  안녕\n하세요\t!  "})
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json == {
        "id": 1,
        "body": "안녕\n하세요\t!",
        "author": {"username": "kim", "display_name": "kim"},
        "created_at": "2030-05-17T12:00:00.123456Z",
        "edited_at": None,
        "call_id": None,
    }
    assert answer.headers["Location"] == "/api/messages/1"
    assert kim.get(answer.headers["Location"]).json == answer.json


def test_post_names_its_call(kim: FlaskClient) -> None:
    call_id = UUID("019afa52-0000-7000-8000-000000000001")
    answer = kim.post(
        "/api/messages", json={"body": "x"}, environ_overrides={"madang.call_id": call_id}
    )
    assert answer.json is not None
    assert answer.json["call_id"] == str(call_id)


def test_answers_fit_their_declared_models(kim: FlaskClient) -> None:
    kim.post("/api/messages", json={"body": "하나"})
    kim.patch("/api/messages/1", json={"body": "둘"})
    listed, read = kim.get("/api/messages"), kim.get("/api/messages/1")
    as_model = MessageList.model_validate_json(listed.data).model_dump_json()
    assert json.loads(as_model) == listed.json
    as_model = MessageAnswer.model_validate_json(read.data).model_dump_json()
    assert json.loads(as_model) == read.json


@pytest.mark.parametrize(
    "body",
    ["", "   ", "\u200b", "x" * 4001, "a\x00b", "a\x07b", "a\rb", "\x85x", None, 5, ["x"], {}],
)
def test_post_of_a_bad_body_names_it_and_stores_nothing(
    board: Board, kim: FlaskClient, body: object
) -> None:
    answer = kim.post("/api/messages", json={"body": body})
    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["field"] for error in answer.json["errors"]] == ["body"]
    assert _nothing_stored(board)


def test_post_of_the_longest_body_is_accepted(kim: FlaskClient) -> None:
    for body in ("x" * 4000, "가" * 4000, "😀" * 4000):
        answer = kim.post("/api/messages", json={"body": body})
        assert answer.json is not None
        assert answer.json["body"] == body


@pytest.mark.parametrize(
    ("sent", "content_type", "status", "code"),
    [
        (b'{"body": "\\ud800"}', "application/json", 422, "validation_failed"),
        (b'{"body": "x", "id": 9}', "application/json", 422, "validation_failed"),
        (b"{}", "application/json", 422, "validation_failed"),
        (b'["x"]', "application/json", 422, "validation_failed"),
        (b"null", "application/json", 422, "validation_failed"),
        (b'{"body": ', "application/json", 400, "malformed_json"),
        (b"[" * 60_000, "application/json", 400, "malformed_json"),
        (b'{"body": "\xff"}', "application/json", 400, "malformed_json"),
        (b'{"body": "' + b"x" * 65_536 + b'"}', "application/json", 413, "body_too_large"),
        (b"body=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ],
)
def test_post_of_bad_json_is_a_problem_and_stores_nothing(
    board: Board, kim: FlaskClient, sent: bytes, content_type: str, status: int, code: str
) -> None:
    answer = kim.post("/api/messages", data=sent, content_type=content_type)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert answer.json["code"] == code
    assert _nothing_stored(board)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": str(10**9)}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"cursor": "nowhere"}, "cursor"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "\x00"}, "cursor"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a\x00"}, "q"),
        ({"user": "a\x00"}, "user"),
        ({"user": "x" * 201}, "user"),
        ({"page": "2"}, "page"),
    ],
)
def test_list_with_a_bad_query_names_the_field(
    kim: FlaskClient, query: dict[str, str], field: str
) -> None:
    answer = kim.get(f"/api/messages?{urlencode(query)}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("query", ["q=&user=", "q=%20", "limit=10", ""])
def test_list_with_blank_filters_is_the_plain_list(kim: FlaskClient, query: str) -> None:
    kim.post("/api/messages", json={"body": "하나"})
    answer = kim.get(f"/api/messages?{query}")
    assert answer.json is not None
    assert (answer.json["total"], answer.json["total_exact"]) == (1, True)


def test_list_searches_whatever_stands_in_the_query(kim: FlaskClient) -> None:
    kim.post("/api/messages", json={"body": '무엇이든 100% "따옴표" _밑줄 \\ * + -w (괄호)'})
    for sought in ("100%", '"따옴표"', "_밑줄", "\\", "*", "+ -w", "(괄호)", "%", "무엇"):
        answer = kim.get("/api/messages", query_string={"q": sought})
        assert answer.json is not None
        assert (sought, answer.json["total"]) == (sought, 1)
    for sought in ("%x", "__", "AND OR NOT", "NEAR(", '"', "*무"):
        answer = kim.get("/api/messages", query_string={"q": sought})
        assert (sought, answer.status_code) == (sought, 200)


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63), str(2**64), "9" * 5000, "1.5", "٣"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_number_that_no_message_has_is_not_found(
    kim: FlaskClient, method: str, number: str
) -> None:
    sent = {"body": "x"} if method == "PATCH" else None
    answer = kim.open(f"/api/messages/{number}", method=method, json=sent)
    assert answer.status_code == 404


def test_edit_and_delete_are_the_authors(board: Board, kim: FlaskClient) -> None:
    kim.post("/api/messages", json={"body": "처음"})
    lee = board.browser("lee")
    assert lee.patch("/api/messages/1", json={"body": "나중"}).status_code == 403
    assert lee.delete("/api/messages/1").status_code == 403
    edited = kim.patch("/api/messages/1", json={"body": "나중"})
    assert edited.json is not None
    assert (edited.status_code, edited.json["body"]) == (200, "나중")
    assert kim.delete("/api/messages/1").status_code == 204
    assert kim.get("/api/messages/1").status_code == 404


def test_everything_needs_a_session(board: Board) -> None:
    nobody = board.browser()
    for method, path in (
        ("GET", "/api/messages"),
        ("POST", "/api/messages"),
        ("GET", "/api/messages/1"),
        ("PATCH", "/api/messages/1"),
        ("DELETE", "/api/messages/1"),
    ):
        answer = nobody.open(path, method=method)
        assert (answer.status_code, answer.json and answer.json["code"]) == (401, "unauthenticated")
