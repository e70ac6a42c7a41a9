"""A crowd of clients of `GET /api/live` in one process, as cheap as they can be.

`python -m measure.listeners PORT STREAMS COOKIES` reads one cookie a line from a file and opens the
streams. Told `count` or `report`, it answers with one line of JSON; only a report has the delays
since the last one. A stream that ends is opened again at once, where it stood. Events that carry a
probe (see `measure.probes`) are counted, and their delay is taken by the clock that all processes
of a machine share.
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec

from measure.latency import Buckets, bucketed
from measure.probes import MARK, sent_at_ns

_AGAIN_SECONDS = 0.05
_AT_ONCE = 200
"""New connections on their way; the kernel's queue of them is not what is measured."""


class Report(msgspec.Struct, frozen=True):
    """What all streams saw since the beginning, and the delays since the last report."""

    streams: int
    opened: int
    last_open_ns: int
    probes: int
    repeated: int
    gaps: int
    pings: int
    received_bytes: int
    delays: Buckets


class Crowd:
    """All streams, and what they saw."""

    def __init__(self, port: int, cookies: list[str], streams: int) -> None:
        self.port = port
        self.listeners = [Listener(self, cookies[n % len(cookies)]) for n in range(streams)]
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.delays_us: list[tuple[int, int]] = []
        self.open = self.opened = self.last_open_ns = 0
        self.probes = self.repeated = self.gaps = self.pings = self.received_bytes = 0

    def start(self) -> None:
        """Open all streams."""
        for listener in self.listeners:
            listener.connect_soon(0)

    def count(self) -> Report:
        """What was seen, without the delays."""
        return Report(
            self.open,
            self.opened,
            self.last_open_ns,
            self.probes,
            self.repeated,
            self.gaps,
            self.pings,
            self.received_bytes,
            {},
        )

    def report(self) -> Report:
        """What was seen; the delays begin anew."""
        delays, self.delays_us = bucketed(self.delays_us), []
        return msgspec.structs.replace(self.count(), delays=delays)


class Listener(asyncio.Protocol):
    """One stream."""

    def __init__(self, crowd: Crowd, cookie: str) -> None:
        self._crowd = crowd
        self._cookie = cookie
        self._position = b""
        self._rest = b""
        self._is_open = False
        self._seen_ns = 0
        self._task: asyncio.Task[None] | None = None

    def connect_soon(self, seconds: float) -> None:
        """Connect, and again until somebody answers."""
        self._task = asyncio.get_running_loop().create_task(self._connect(seconds))

    async def _connect(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        while True:
            async with self._crowd.turns:
                try:
                    await loop.create_connection(lambda: self, "127.0.0.1", self._crowd.port)
                except OSError:
                    pass
                else:
                    return
            await asyncio.sleep(_AGAIN_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.WriteTransport)
        resume = b"Last-Event-ID: %s\r\n" % self._position if self._position else b""
        transport.write(
            b"GET /api/live HTTP/1.1\r\nHost: madang\r\nCookie: %s\r\n%s\r\n"
            % (self._cookie.encode(), resume)
        )
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Take whole events; the rest waits for its end."""
        crowd = self._crowd
        crowd.received_bytes += len(data)
        whole, end, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not end:
            return
        if not self._is_open:
            self._begin(whole)
        start = whole.rfind(b"id: ")
        if start >= 0:
            self._position = whole[start + 4 :].partition(b"\n")[0]
        crowd.gaps += whole.count(b"event: gap")
        crowd.pings += whole.count(b": ping")
        at = whole.find(MARK)
        while at >= 0:
            self._probe(sent_at_ns(whole, at))
            at = whole.find(MARK, at + len(MARK))

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back."""
        if self._is_open:
            self._is_open = False
            self._crowd.open -= 1
        self.connect_soon(_AGAIN_SECONDS)

    def _begin(self, head: bytes) -> None:
        if b" 200 " not in head[:20]:
            return
        self._is_open = True
        self._crowd.open += 1
        self._crowd.opened += 1
        self._crowd.last_open_ns = time.monotonic_ns()

    def _probe(self, sent_ns: int) -> None:
        """Probes are told in their order, so an older one was seen before."""
        if sent_ns <= self._seen_ns:
            self._crowd.repeated += 1
            return
        self._seen_ns = sent_ns
        self._crowd.probes += 1
        self._crowd.delays_us.append(((time.monotonic_ns() - sent_ns) // 1000, 1))


async def serve(crowd: Crowd) -> None:
    """Open the streams and obey one command a line until the input ends."""
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    crowd.start()
    while command := (await commands.readline()).strip():
        answer = crowd.report() if command == b"report" else crowd.count()
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Be the crowd."""
    port, streams, cookies = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    asyncio.run(serve(Crowd(port, cookies.read_text().split("\n"), streams)))


if __name__ == "__main__":
    main()
