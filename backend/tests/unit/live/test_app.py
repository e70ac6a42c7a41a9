"""GET /api/live, from outside."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette

from madang.errors import RedisUnavailableError
from madang.http.health import Dependency
from madang.live.app import Live, live_app
from madang.live.bus import LocalBus
from madang.live.hub import Hub
from madang.live.sessions import SessionWatch
from tests.unit.live.builders import Client, Event, Sessions, run, settled

SIGNED_IN = {"Cookie": "session=one"}


@dataclass(slots=True)
class World:
    bus: LocalBus
    sessions: Sessions
    live: Live
    app: Starlette

    def open(self, query: str = "", headers: dict[str, str] | None = None) -> Client:
        return Client(self.app, f"/api/live{query}", SIGNED_IN | (headers or {}))


@asynccontextmanager
async def world(**hub_settings: float) -> AsyncIterator[World]:
    bus, sessions = LocalBus(), Sessions()
    hub = Hub(**{"frame_seconds": 0.001, **hub_settings})  # type: ignore[arg-type]  # all numbers
    watch = SessionWatch(sessions, sessions.valid_ones, recheck_seconds=0.01)
    live = Live(bus, sessions, sessions.valid_ones, hub=hub, sessions=watch)
    app = live_app(live, {"redis": Dependency(lambda: None)})
    async with live.running():
        await settled(lambda: hub.available)
        yield World(bus, sessions, live, app)


def test_a_stream_carries_what_is_published() -> None:
    async def scenario() -> None:
        async with world() as here:
            client = await here.open().until(lambda: client_opened(here))
            here.bus.publish("calls", b'{"id":1}')
            here.bus.publish("messages", b'{"type":"deleted","id":7}')
            await client.until(lambda: len(client.events) == 2)

            assert {event.name: event.data for event in client.events} == {
                "calls": [{"id": 1}],
                "messages": [{"type": "deleted", "id": 7}],
            }
            assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert client.headers["x-accel-buffering"] == "no"
            assert client.headers["cache-control"] == "no-store"
            assert client.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in client.headers["content-security-policy"]
            assert "content-length" not in client.headers

    run(scenario())


def client_opened(here: World) -> bool:
    return here.live.hub.streams == 1


def test_a_stream_resumes_by_header_and_by_query() -> None:
    async def scenario() -> None:
        async with world() as here:
            client = await here.open().until(lambda: client_opened(here))
            here.bus.publish("calls", b"1")
            await client.until_event()
            position = client.events[0].id
            client.leave()
            here.bus.publish("calls", b"2")
            await client.task

            by_header = here.open(headers={"Last-Event-ID": position})
            by_query = here.open(f"?last_event_id={position}")
            for resumed in (by_header, by_query):
                await resumed.until_event()
                assert resumed.events[0].data == [2]

    run(scenario())


def test_a_stream_whose_client_leaves_is_forgotten() -> None:
    async def scenario() -> None:
        async with world() as here:
            client = await here.open().until(lambda: client_opened(here))
            client.leave()
            await client.task
            assert here.live.hub.streams == 0

    run(scenario())


def test_a_logged_out_session_ends_its_stream() -> None:
    async def scenario() -> None:
        async with world() as here:
            client = await here.open().until(lambda: client_opened(here))
            here.sessions.valid.clear()
            await client.task
            assert client.events[-1] == Event("end", {"reason": "session_ended"})
            assert client.finished
            assert here.live.hub.streams == 0

    run(scenario())


def test_a_client_that_does_not_read_is_let_go() -> None:
    async def scenario() -> None:
        async with world(queued_frames=3) as here:
            client = await here.open().until(lambda: client_opened(here))
            client.reading.clear()
            number = 0
            while not client.task.done():
                number += 1
                here.bus.publish("calls", b"%d" % number)
                await asyncio.sleep(0)
            client.task.result()
            assert not client.finished
            assert here.live.hub.streams == 0

    run(scenario())


def test_stopping_ends_every_stream_and_admits_no_more() -> None:
    async def scenario() -> None:
        async with world() as here:
            client = await here.open().until(lambda: client_opened(here))
            here.live.stop()
            await client.task
            assert client.events == [Event("end", {"reason": "shutdown"})]
            late = await here.open().answered()
            assert late.status == 503

    run(scenario())


@pytest.mark.parametrize(
    ("path", "headers", "status", "code", "fields"),
    [
        ("/api/live", {}, 401, "unauthenticated", []),
        ("/api/live", {"Cookie": "session=other"}, 401, "unauthenticated", []),
        ("/api/live?topics=users", SIGNED_IN, 422, "validation_failed", ["topics"]),
        ("/api/live?topics=", SIGNED_IN, 422, "validation_failed", ["topics"]),
        ("/api/lives", SIGNED_IN, 404, "not_found", []),
    ],
)
def test_a_refused_stream_is_answered_with_problem_details(
    path: str, headers: dict[str, str], status: int, code: str, fields: list[str]
) -> None:
    async def scenario() -> None:
        async with world() as here:
            client = Client(here.app, path, headers | {"X-Request-Id": "request-1"})
            await client.task
            problem = json.loads(client.text)
            assert client.status == problem["status"] == status
            assert client.headers["content-type"] == "application/problem+json"
            assert problem["code"] == code
            assert problem["type"] == f"urn:madang:problem:{code}"
            assert problem["request_id"] == client.headers["x-request-id"] == "request-1"
            assert [error["field"] for error in problem.get("errors", [])] == fields

    run(scenario())


def test_other_methods_are_refused_and_head_opens_no_stream() -> None:
    async def scenario() -> None:
        async with world() as here:
            posted = Client(here.app, "/api/live", SIGNED_IN, "POST")
            await posted.task
            assert (posted.status, json.loads(posted.text)["code"]) == (405, "method_not_allowed")
            assert "GET" in posted.headers["allow"]
            looked = Client(here.app, "/api/live", SIGNED_IN, "HEAD")
            await looked.task
            assert looked.status == 200
            assert here.live.hub.streams == 0

    run(scenario())


def test_without_a_database_or_a_source_new_streams_are_refused() -> None:
    async def scenario() -> None:
        async with world() as here:
            here.sessions.down = True
            client = await here.open().answered()
            await client.task
            assert (client.status, json.loads(client.text)["code"]) == (
                503,
                "dependency_unavailable",
            )
            here.sessions.down = False
            here.live.hub.source_lost()
            client = await here.open().answered()
            assert client.status == 503

    run(scenario())


def test_probes_have_the_shape_of_the_api() -> None:
    def fail() -> None:
        raise RedisUnavailableError

    async def scenario() -> None:
        async with world() as here:
            alive = Client(here.app, "/api/health/live")
            await alive.task
            assert json.loads(alive.text)["status"] == "ok"
            ready = Client(here.app, "/api/health/ready")
            await ready.task
            assert ready.status == 200
            down = live_app(
                here.live, {"redis": Dependency(fail), "x": Dependency(fail, needed=False)}
            )
            ready = Client(down, "/api/health/ready")
            await ready.task
            assert ready.status == 503
            assert json.loads(ready.text)["checks"]["redis"]["status"] == "unavailable"

    run(scenario())
