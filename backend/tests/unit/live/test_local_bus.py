"""The in-process bus."""

import asyncio
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest

from madang.live import bus as bus_module
from madang.live.bus import LocalBus
from madang.live.hub import Hub, Subscription
from tests.unit.live.builders import next_events, run, settled


@asynccontextmanager
async def following(bus: LocalBus) -> AsyncIterator[Hub]:
    hub = Hub(frame_seconds=0.001)
    task = asyncio.create_task(bus.run(hub))
    await settled(lambda: hub.available)
    try:
        yield hub
    finally:
        task.cancel()


async def collect(stream: Subscription, count: int) -> list[list[int]]:
    found: list[list[int]] = []
    while len(found) < count:
        for event in await next_events(stream):
            found.extend(event.data)
    return found


def test_local_bus_carries_events_from_threads_in_the_order_of_each() -> None:
    async def scenario() -> None:
        bus = LocalBus()
        async with following(bus) as hub:
            stream = hub.subscribe(("messages",))

            def publish(thread: int) -> None:
                for number in range(200):
                    bus.publish("messages", b"[%d,%d]" % (thread, number))

            with ThreadPoolExecutor() as pool:
                publishing = [pool.submit(publish, thread) for thread in range(4)]
                found = await collect(stream, 800)
                for done in publishing:
                    done.result()
        for thread in range(4):
            assert [number for by, number in found if by == thread] == list(range(200))

    run(scenario())


def test_local_bus_cursors_belong_to_one_start() -> None:
    async def scenario() -> None:
        old, new = LocalBus(), LocalBus()
        async with following(old) as hub:
            stream = hub.subscribe(("calls",))
            old.publish("calls", b"1")
            position = (await next_events(stream))[0].id
        assert re.fullmatch(r"calls=[0-9a-f]{8}\.1", position)
        async with following(new) as hub:
            assert (await next_events(hub.subscribe(("calls",), position)))[0].name == "gap"

    run(scenario())


def test_local_bus_gives_up_events_for_a_gap_when_the_loop_does_not_keep_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bus_module, "WAITING_EVENTS", 10)

    async def scenario() -> None:
        bus = LocalBus()
        async with following(bus) as hub:
            stream = hub.subscribe(("calls", "messages"))
            for number in range(25):
                bus.publish("calls", b"%d" % number)
            events = await next_events(stream)
            assert [event.name for event in events] == ["gap"]
            bus.publish("calls", b"99")
            assert (await next_events(stream))[0].data == [99]

    run(scenario())


def test_local_bus_swallows_what_nobody_can_hear() -> None:
    async def scenario() -> LocalBus:
        bus = LocalBus()
        bus.publish("calls", b"1")
        async with following(bus):
            bus.publish("calls", b"2")
        return bus

    run(scenario()).publish("calls", b"3")
