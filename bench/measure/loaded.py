"""Load that goes on until it is told to stop: calls of several kinds in turn, and a stream."""

import http.client
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from measure.stand import register
from measure.wrk import Target, drive

CONNECTIONS = 16
TURNS = (
    ("GET", "/api/messages?limit=10", 16),
    ("POST", "/api/messages", 2),
    ("GET", "/api/logs/kafka", 1),
)
"""The calls, and for how many seconds each has its turn; most are those that take least."""

_CHUNK = 65_536
_STREAM_SECONDS = 60


class Load:
    """What was asked of an API, and what one client of its event stream was sent."""

    def __init__(self) -> None:
        self.answered = self.refused = self.broken = self.streamed_bytes = 0
        self._stop = threading.Event()

    @contextmanager
    def on(self, api_port: int, live_port: int) -> Iterator[None]:
        """Ask for one kind of call after the other until the end of the block."""
        cookie = register(api_port)
        self.answered += 1
        stream = (live_port, cookie)
        threading.Thread(target=self._read, args=stream, name="stream", daemon=True).start()
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(self._make, api_port, cookie)
            try:
                yield
            finally:
                self._stop.set()
            loading.result()

    def _make(self, port: int, cookie: str) -> None:
        for method, path, seconds in itertools.cycle(TURNS):
            if self._stop.is_set():
                return
            target = Target(port, method, path, cookie)
            answers = drive(target, connections=CONNECTIONS, seconds=seconds)
            self.answered += answers.requests
            self.refused += answers.refused
            self.broken += answers.broken

    def _read(self, port: int, cookie: str) -> None:
        """Come back where the stream ends, until told to stop."""
        while not self._stop.is_set():
            with suppress(OSError, http.client.HTTPException):
                answer = _stream(port, cookie)
                while chunk := answer.read1(_CHUNK):
                    self.streamed_bytes += len(chunk)


def _stream(port: int, cookie: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_STREAM_SECONDS)
    connection.request("GET", "/api/live?topics=calls,messages", headers={"Cookie": cookie})
    return connection.getresponse()
