import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from flask import Blueprint, Flask, Response
from werkzeug.test import Client

from madang.calls.capture import CallCapture
from madang.calls.event import CallEvent, decode
from madang.calls.spool import HEADER_BYTES, Reader, SpoolReader, SpoolWriter
from madang.clock import utc_now
from madang.http.app import create_app
from madang.http.guard import public
from madang.http.health import health_blueprint
from madang.settings import SpoolPolicy
from tests.unit.calls.builders import no_telemetry


@pytest.fixture
def app() -> Flask:
    blueprint = Blueprint("things", __name__, url_prefix="/api/things")
    made: list[int] = []

    @blueprint.get("/<int:number>")
    @public
    def read(number: int) -> Response:
        return Response(str(number))

    @blueprint.post("")
    @public
    def make() -> Response:
        made.append(1)
        return Response(str(len(made)), 201)

    @blueprint.get("/broken")
    @public
    def broken() -> Response:
        raise RuntimeError("a bug")

    return create_app([blueprint, health_blueprint({})], lambda _: None)


def capture(app: Flask, spool: SpoolWriter, policy: SpoolPolicy = SpoolPolicy.serve) -> Client:
    wrapped = CallCapture(
        app,
        spool,
        no_telemetry(),
        utc_now,
        service_name="madang-api",
        instance="api-0",
        policy=policy,
    )
    return Client(wrapped)


def open_spool(directory: Path, max_bytes: int = 2**20) -> SpoolWriter:
    return SpoolWriter(directory, max_bytes=max_bytes, segment_bytes=2**16)


def recorded(directory: Path) -> list[CallEvent]:
    segments = SpoolReader(directory, Reader.durable).segments()
    records = [record for segment in segments for record in segment.read(HEADER_BYTES)]
    return [decode(record.event) for record in records]


def test_method_that_is_none_of_https_does_not_become_a_kind_of_its_own(
    tmp_path: Path, app: Flask
) -> None:
    capture(app, open_spool(tmp_path)).open("/api/things", method="MADEUP")
    (event,) = recorded(tmp_path)
    assert (event.method, event.status) == ("_OTHER", 405)
    assert event.message.startswith("MADEUP /api/things 405")


@pytest.mark.parametrize(
    ("method", "path", "status", "endpoint"),
    [
        ("GET", "/api/things/7?secret=1", 200, "/api/things/{number}"),
        ("POST", "/api/things", 201, "/api/things"),
        ("GET", "/api/nowhere", 404, "(unmatched)"),
        ("PUT", "/api/things/7", 405, "/api/things/{number}"),
        ("GET", "/api/things/broken", 500, "/api/things/broken"),
        ("GET", "/elsewhere", 404, "(unmatched)"),
    ],
)
def test_answer_is_in_the_spool_and_names_its_event(
    tmp_path: Path, app: Flask, method: str, path: str, status: int, endpoint: str
) -> None:
    answer = capture(app, open_spool(tmp_path)).open(path, method=method)
    (event,) = recorded(tmp_path)
    assert answer.status_code == event.status == status
    assert answer.headers["Madang-Call"] == str(event.id)
    assert (event.method, event.endpoint, event.path) == (method, endpoint, path.partition("?")[0])
    assert "secret" not in event.message


@pytest.mark.parametrize("path", ["/api/health/live", "/api/health/ready", "/api/openapi.json"])
def test_probes_and_the_description_are_not_recorded(tmp_path: Path, app: Flask, path: str) -> None:
    answer = capture(app, open_spool(tmp_path)).get(path)
    assert answer.status_code == 200
    assert "Madang-Call" not in answer.headers
    assert recorded(tmp_path) == []


@pytest.mark.parametrize(
    "path",
    ["/api/" + "x" * 5000, "/api/마당", "/api/%FF%00%0A", "/api/health", "/api/healthy", "//", ""],
)
def test_any_path_is_recorded_bounded_and_printable(tmp_path: Path, app: Flask, path: str) -> None:
    capture(app, open_spool(tmp_path)).get(path)
    for event in recorded(tmp_path):
        assert len(event.path) <= 2048
        assert event.path.isascii()
        assert event.path.isprintable()


def test_answer_that_cannot_be_recorded_is_given_and_counted(tmp_path: Path, app: Flask) -> None:
    spool = open_spool(tmp_path, max_bytes=HEADER_BYTES + 1)
    answer = capture(app, spool).post("/api/things")
    assert answer.status_code == 201
    assert "Madang-Call" not in answer.headers
    assert spool.unrecorded() == 1


def test_full_spool_refuses_writes_before_they_are_done_where_the_policy_says_so(
    tmp_path: Path, app: Flask
) -> None:
    full = capture(app, open_spool(tmp_path / "full", max_bytes=64), SpoolPolicy.refuse)
    assert full.get("/api/things/7").status_code == 200
    refused = full.post("/api/things")
    assert (refused.status_code, json.loads(refused.data)["code"]) == (503, "spool_full")
    roomy = capture(app, open_spool(tmp_path / "roomy"), SpoolPolicy.refuse)
    assert roomy.post("/api/things").data == b"1", "the refused one was not done"


def test_event_is_in_the_spool_before_the_answer_leaves(tmp_path: Path, app: Flask) -> None:
    spool = open_spool(tmp_path)
    seen: list[int] = []

    def watching(environ: dict[str, object], start_response: object) -> Iterable[bytes]:
        def start(*arguments: object) -> object:
            seen.append(len(recorded(tmp_path)))
            return start_response(*arguments)  # type: ignore[operator]  # a WSGI callable

        inner = CallCapture(
            app, spool, no_telemetry(), utc_now, service_name="madang-api", instance="api-0"
        )
        return inner(environ, start)  # type: ignore[arg-type]  # it only passes on

    Client(watching).get("/api/things/7")
    assert seen == [1]
