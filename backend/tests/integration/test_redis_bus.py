"""Live events through a real Redis."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
from redis import Redis as Client

from madang.live.frames import TOPICS
from madang.live.hub import Hub, Subscription
from madang.live.redis_bus import RedisBus
from madang.live.streams import STREAMS
from tests.services.redis import Redis, redis
from tests.unit.live.builders import Event, next_events, run, settled

pytestmark = pytest.mark.integration

SECONDS = 30.0
CALLS, BOARD = STREAMS["calls"].key, STREAMS["messages"].key

run_long = partial(run, seconds=SECONDS)


@pytest.fixture(scope="module")
def server(services_directory: Path) -> Iterator[Redis]:
    """A Redis that these tests may stop and pause."""
    with redis(services_directory / f"live-{uuid4().hex[:12]}") as started:
        yield started


@pytest.fixture
def url(server: Redis) -> str:
    return server.empty()


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client.from_url(url) as connected:
        yield connected


@pytest.fixture
def publisher(url: str) -> Iterator[RedisBus]:
    with closing(RedisBus(url)) as bus:
        yield bus


@asynccontextmanager
async def following(url: str) -> AsyncIterator[Hub]:
    """A hub fed from Redis, as a `live` process has one."""
    hub = Hub(frame_seconds=0.001, source_grace_seconds=SECONDS)
    with closing(RedisBus(url)) as bus:
        task = asyncio.create_task(bus.run(hub))
        try:
            await settled(lambda: hub.available)
            yield hub
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def last_of(client: Client, stream: str) -> str:
    entries = cast("list[tuple[bytes, object]]", client.xrevrange(stream, count=1))
    return entries[0][0].decode()


async def data_of(stream: Subscription, count: int) -> list[Any]:
    """The next `count` pieces of data; a gap in their place is a failure."""
    found: list[Any] = []
    while len(found) < count:
        for event in await next_events(stream):
            assert event.name in TOPICS, event
            found.extend(event.data)
    return found


async def gaps_of(stream: Subscription, topics: set[str]) -> None:
    """Wait until each topic had a gap."""
    while topics:
        for event in await next_events(stream):  # one read may bring a gap for each topic
            if event.name == "gap":
                topics = topics - set(event.data["topics"])


async def until(stream: Subscription, data: object) -> None:
    """Wait for this piece of data, whatever comes before it."""
    while not any(
        event.name in TOPICS and data in event.data for event in await next_events(stream)
    ):
        pass


async def position_of(hub: Hub) -> str:
    """Where a stream stands that has seen everything."""
    return (await hub.subscribe(TOPICS).take()).decode().removeprefix("id: ").strip()


async def gap_of(stream: Subscription) -> Event:
    """The next gap; events before it are left out."""
    while True:
        for event in await next_events(stream):
            if event.name == "gap":
                return event


def test_events_arrive_in_order_with_redis_identifiers_as_cursors(
    url: str, client: Client, publisher: RedisBus
) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(("messages",))
            for number in range(50):
                await asyncio.to_thread(publisher.publish, "messages", b'{"id":%d}' % number)

            events: list[Event] = []
            while sum(len(event.data) for event in events) < 50:
                events += await next_events(stream)

            assert [item["id"] for event in events for item in event.data] == list(range(50))
            assert events[-1].id == f"messages={last_of(client, BOARD)}"

    run_long(scenario())


def test_a_stream_resumes_at_another_process(url: str, client: Client) -> None:
    async def scenario() -> None:
        async with following(url) as first:
            stream = first.subscribe(TOPICS)
            client.xadd(CALLS, {"e": '{"n":1}'})
            client.xadd(BOARD, {"e": '{"n":2}'})
            await data_of(stream, 2)
            position = await position_of(first)
        for number in range(3, 600):
            client.xadd(CALLS, {"e": json.dumps({"n": number})})

        async with following(url) as second:
            events = await next_events(second.subscribe(TOPICS, position))

            assert {event.name for event in events} == {"calls"}
            assert [item["n"] for event in events for item in event.data] == list(range(3, 600))

    run_long(scenario())


def test_an_emptied_redis_is_a_gap_for_open_and_for_resumed_streams(
    url: str, client: Client
) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(TOPICS)
            client.xadd(CALLS, {"e": '{"n":1}'})
            client.xadd(BOARD, {"e": '{"n":2}'})
            await data_of(stream, 2)
            position = await position_of(hub)

            client.flushdb()

            await gaps_of(stream, set(TOPICS))
            assert (await gap_of(hub.subscribe(TOPICS, position))).data["topics"] == list(TOPICS)
            client.xadd(CALLS, {"e": '{"n":3}'})
            assert await data_of(stream, 1) == [{"n": 3}]

    run_long(scenario())


def test_identifiers_that_went_backwards_are_a_gap(url: str, client: Client) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(("calls",))
            client.xadd(CALLS, {"e": '{"n":1}'}, id="9000-0")
            await data_of(stream, 1)

            with client.pipeline() as pipeline:
                pipeline.delete(CALLS)
                pipeline.xadd(CALLS, {"e": '{"n":2}'}, id="1000-0")
                pipeline.execute()

            assert (await gap_of(stream)).id == "calls=1000-0"
            client.xadd(CALLS, {"e": '{"n":3}'}, id="1000-1")
            assert await data_of(stream, 1) == [{"n": 3}]

    run_long(scenario())


def test_a_restarted_redis_is_a_gap_and_events_go_on(
    url: str, server: Redis, client: Client
) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(TOPICS)
            client.xadd(CALLS, {"e": '{"n":1}'})
            await data_of(stream, 1)

            await asyncio.to_thread(server.stop)
            await settled(lambda: not hub.available)
            await asyncio.to_thread(server.start)

            await gaps_of(stream, set(TOPICS))
            await settled(lambda: hub.available)
            client.xadd(CALLS, {"e": '{"n":2}'})
            assert await data_of(stream, 1) == [{"n": 2}]

    run_long(scenario())


def test_a_lost_connection_alone_loses_nothing(url: str, client: Client) -> None:
    async def scenario() -> None:
        client.xadd(CALLS, {"e": '{"n":0}'})
        client.xadd(BOARD, {"e": '{"n":0}'})
        async with following(url) as hub:
            stream = hub.subscribe(TOPICS)
            for number in range(1, 4):
                client.client_kill_filter(_type="normal", skipme=True)
                client.xadd(CALLS, {"e": json.dumps({"n": number})})
            assert [item["n"] for item in await data_of(stream, 3)] == [1, 2, 3]

    run_long(scenario())


def test_a_marker_of_lost_events_is_a_gap(url: str, client: Client) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(("calls",))
            client.xadd(CALLS, {"e": '{"n":1}'})
            before = (await next_events(stream))[-1].id
            client.xadd(CALLS, {"g": "1"})
            await gap_of(stream)
            client.xadd(CALLS, {"e": '{"n":2}'})
            await data_of(stream, 1)
            assert (await next_events(hub.subscribe(("calls",), before)))[0].name == "gap"
        async with following(url) as later:
            assert (await next_events(later.subscribe(("calls",), before)))[0].name == "gap"

    run_long(scenario())


def test_an_entry_that_is_no_event_breaks_nothing(url: str, client: Client) -> None:
    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(("calls",))
            with client.pipeline() as pipeline:
                for value in ("{", "[]", "", b"\xff", '"text"'):
                    pipeline.xadd(CALLS, {"e": value})
                pipeline.xadd(CALLS, {"other": "{}"})
                pipeline.xadd(CALLS, {"e": '{"n":\n1}'})
                pipeline.execute()
            assert await data_of(stream, 1) == [{"n": 1}]

    run_long(scenario())


@pytest.mark.parametrize("fault", ["stopped", "paused"])
def test_publishing_never_fails_or_waits_and_what_was_lost_shows_as_a_gap(
    url: str, server: Redis, publisher: RedisBus, fault: str
) -> None:
    assert server.process is not None
    process = server.process
    breaking: dict[str, Callable[[], None]] = {"stopped": server.stop, "paused": process.pause}
    mending: dict[str, Callable[[], None]] = {"stopped": server.start, "paused": process.resume}

    async def scenario() -> None:
        async with following(url) as hub:
            stream = hub.subscribe(("messages",))
            await asyncio.to_thread(publisher.publish, "messages", b'{"n":1}')
            await data_of(stream, 1)

            await asyncio.to_thread(breaking[fault])
            try:
                began = time.monotonic()
                for _ in range(200):
                    await asyncio.to_thread(publisher.publish, "messages", b'{"n":2}')
                assert time.monotonic() - began < 2
            finally:
                await asyncio.to_thread(mending[fault])

            await gap_of(stream)
            # More markers may follow when one arrived whose answer was not waited for.
            answered = asyncio.create_task(until(stream, {"n": 3}))
            while not answered.done():
                await asyncio.to_thread(publisher.publish, "messages", b'{"n":3}')
                await asyncio.wait({answered}, timeout=0.05)
            answered.result()

    run_long(scenario())


def test_publishing_after_close_does_nothing(url: str, client: Client) -> None:
    bus = RedisBus(url)
    bus.close()

    bus.publish("messages", b"{}")

    assert client.exists(BOARD) == 0


def test_streams_stay_bounded(client: Client, publisher: RedisBus) -> None:
    for _ in range(1500):
        publisher.publish("messages", b"{}")

    assert 1000 <= client.xlen(BOARD) < 1300
