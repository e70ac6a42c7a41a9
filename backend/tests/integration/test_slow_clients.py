"""A client of the live process that does not read what it is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import uvicorn

from madang.http.server import bind
from madang.live.app import Live, live_app
from madang.live.bus import EventBus, LocalBus
from madang.live.hub import Hub
from madang.live.redis_bus import RedisBus
from tests.unit.live.builders import Sessions, run, settled

pytestmark = pytest.mark.integration

SECONDS = 30.0


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(live: Live) -> AsyncIterator[int]:
    """The live process within this one, on a real port."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        live_app(live, {}),
        lifespan="off",
        ws="none",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    async with live.running():
        task = asyncio.create_task(server.serve([listener]))
        await settled(lambda: server.started and live.hub.available)
        try:
            yield listener.getsockname()[1]
        finally:
            live.stop()
            server.should_exit = True
            await task


async def open_stream(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/live HTTP/1.1\r\nHost: madang\r\nCookie: session=one\r\n\r\n")
    return reader, writer


@pytest.mark.parametrize("kind", ["embedded", "services"])
def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on(
    redis_url: str, kind: str
) -> None:
    async def scenario() -> None:
        hub = Hub(frame_seconds=0.001, queued_frames=20)
        bus: EventBus = LocalBus() if kind == "embedded" else RedisBus(redis_url)
        sessions = Sessions()
        live = Live(bus, sessions, sessions.valid_ones, hub=hub)
        payload = json.dumps({"text": "x" * 50_000}).encode()
        async with serving(live) as port:
            readers = [await open_stream(port) for _ in range(3)]
            await settled(lambda: hub.streams == 3)
            quick = [asyncio.create_task(read_all(reader)) for reader, _ in readers[:2]]
            while hub.streams == 3:
                await asyncio.to_thread(bus.publish, "messages", payload)
            assert hub.streams == 2
        for task, (_, writer) in zip(quick, readers, strict=False):
            assert b'event: end\ndata: {"reason":"shutdown"}' in await task
            writer.close()
        readers[2][1].close()
        bus.close()

    run(scenario(), SECONDS)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Read to the end, and keep the end of it."""
    kept = b""
    while piece := await reader.read(65_536):
        kept = (kept + piece)[-500:]
    return kept
