"""Declared operations: parsing, answers, and the frame around them."""

import pytest
from flask import Blueprint
from flask.testing import FlaskClient
from pydantic import BaseModel, Field

from madang.errors import DatabaseUnavailableError
from madang.http.app import create_app
from madang.http.guard import public
from madang.http.operation import Input, operation


class NewThing(Input):
    """A body."""

    name: str = Field(min_length=1, max_length=10)
    inner: dict[str, int] = Field(default_factory=dict)


class ThingQuery(Input):
    """A query."""

    limit: int = Field(10, ge=1, le=100)


class Thing(BaseModel):
    """An answer."""

    name: str


@pytest.fixture
def client() -> FlaskClient:
    blueprint = Blueprint("things", __name__, url_prefix="/api/things")

    @blueprint.post("")
    @operation("Make", body=NewThing, answer=Thing, status=201)
    @public
    def make(body: NewThing) -> tuple[Thing, dict[str, str]]:
        return Thing(name=body.name), {"Location": "/api/things/1"}

    @blueprint.get("")
    @operation("List", query=ThingQuery, answer=Thing)
    @public
    def find(query: ThingQuery) -> Thing:
        return Thing(name=str(query.limit))

    @blueprint.get("/<id:thing_id>")
    @operation("Read", answer=Thing)
    @public
    def read(thing_id: int) -> Thing:
        return Thing(name=str(thing_id))

    @blueprint.get("/broken")
    @operation("Fails")
    @public
    def broken() -> None:
        raise RuntimeError("a bug")

    @blueprint.get("/away")
    @operation("Cannot")
    @public
    def away() -> None:
        raise DatabaseUnavailableError

    return create_app([blueprint], lambda _request: None).test_client()


def test_operation_answers_with_model_status_and_headers(client: FlaskClient) -> None:
    answer = client.post("/api/things", json={"name": "가"})
    assert (answer.status_code, answer.json) == (201, {"name": "가"})
    assert answer.headers["Location"] == "/api/things/1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_operation_names_every_bad_field(client: FlaskClient) -> None:
    sent = {"name": "", "inner": {"a": "b"}, "\u0000odd": 1}
    answer = client.post("/api/things", json=sent)
    assert answer.status_code == 422
    assert answer.json is not None
    assert {error["field"] for error in answer.json["errors"]} == {"name", "inner.a", "\x00odd"}


def test_operation_bad_field_names_cannot_break_the_answer(client: FlaskClient) -> None:
    answer = client.post(
        "/api/things", data=b'{"\\ud800": 1, "name": "x"}', content_type="application/json"
    )
    assert answer.status_code == 422
    long_name = client.post("/api/things", json={"x" * 60_000: 1, "name": "x"})
    assert long_name.status_code == 422
    assert len(long_name.data) < 2_000


@pytest.mark.parametrize("number", ["1", "999999999999999999"])
def test_id_in_a_path_matches_row_numbers(client: FlaskClient, number: str) -> None:
    answer = client.get(f"/api/things/{number}")
    assert answer.json == {"name": number}


@pytest.mark.parametrize("number", ["0", "007", "-1", "9" * 19, "9" * 5000, "1e3", "%31%00"])
def test_id_in_a_path_matches_nothing_else(client: FlaskClient, number: str) -> None:
    assert client.get(f"/api/things/{number}").status_code == 404


def test_wrong_method_is_a_problem_that_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/api/things")
    assert (answer.status_code, answer.json and answer.json["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_unknown_path_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/api/nothing/here")
    assert (answer.status_code, answer.json and answer.json["type"]) == (
        404,
        "urn:madang:problem:not_found",
    )


def test_bug_is_a_problem_that_tells_nothing(client: FlaskClient) -> None:
    answer = client.get("/api/things/broken")
    assert (answer.status_code, answer.json and answer.json["code"]) == (500, "internal_error")
    assert "a bug" not in answer.text


def test_what_is_away_is_a_problem(client: FlaskClient) -> None:
    answer = client.get("/api/things/away")
    assert (answer.status_code, answer.json and answer.json["code"]) == (
        503,
        "dependency_unavailable",
    )


def test_request_id_is_taken_over_only_when_it_is_one(client: FlaskClient) -> None:
    good = client.get("/api/things", headers={"X-Request-Id": "a-b.c_1"})
    assert good.headers["X-Request-Id"] == "a-b.c_1"
    for offered in ("", "x" * 65, "a b", "<script>"):
        answer = client.get("/api/nothing", headers={"X-Request-Id": offered})
        made = answer.headers["X-Request-Id"]
        assert made
        assert made != offered
        assert answer.json is not None
        assert answer.json["request_id"] == made
