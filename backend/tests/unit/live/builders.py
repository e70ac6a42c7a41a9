"""Hubs, clients of streams, and sessions for tests of the live feature."""

import asyncio
import json
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Request
from starlette.types import ASGIApp, Message

from madang.errors import DatabaseUnavailableError
from madang.http.guard import Identity, Role
from madang.live.frames import TOPICS
from madang.live.hub import Hub, Subscription

Result = TypeVar("Result")

DEADLINE_SECONDS = 5.0


def run(work: Coroutine[Any, Any, Result], seconds: float = DEADLINE_SECONDS) -> Result:
    """Run to the end, or fail at the deadline."""

    async def bounded() -> Result:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(bounded())


async def settled(condition: Callable[[], object]) -> None:
    """Let other tasks work until the condition holds; `run` has the deadline."""
    while not condition():  # noqa: ASYNC110  # the condition is the state of another task
        await asyncio.sleep(0)


def loaded_hub(**settings: Any) -> Hub:
    """A hub whose topics stand at `0`, with quick frames."""
    hub = Hub(**{"frame_seconds": 0.001, **settings})
    for topic in TOPICS:
        hub.load(topic, "0")
    return hub


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    data: Any
    id: str = ""


def parse_events(text: str) -> list[Event]:
    """The events of a stream, as the HTML standard reads them."""
    events = []
    for block in text.split("\n\n"):
        lines = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        fields = {name: value for name, _, value in lines}
        if "data" in fields:
            found = Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
            events.append(found)
    return events


async def next_events(subscription: Subscription) -> list[Event]:
    """What the subscription has next, skipping what carries no event."""
    while not (events := parse_events((await subscription.take()).decode())):
        pass
    return events


@dataclass(slots=True)
class Sessions:
    """An `authenticate` over a set of session names that the cookie `session` carries.

    The digest of a session is its name in bytes; `checks` has what each check asked for.
    """

    valid: set[str] = field(default_factory=lambda: {"one"})
    down: bool = False
    checks: list[list[bytes]] = field(default_factory=list)

    def valid_ones(self, digests: Collection[bytes]) -> set[bytes]:
        self.checks.append(sorted(digests))
        if self.down:
            raise DatabaseUnavailableError
        return {digest for digest in digests if digest.decode() in self.valid}

    def __call__(self, request: Request) -> Identity | None:
        name = request.cookies.get("session", "")
        if self.down:
            raise DatabaseUnavailableError
        if name not in self.valid:
            return None
        return Identity(1, name, name, Role.member, name.encode())


class Client:
    """Talks to an ASGI application within the same event loop."""

    def __init__(
        self, app: ASGIApp, path: str, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self.finished = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._left = asyncio.Event()
        self._changed = asyncio.Event()
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "server": ("127.0.0.1", 5001),
            "client": ("127.0.0.1", 40000),
            "scheme": "http",
            "root_path": "",
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    @property
    def events(self) -> list[Event]:
        return parse_events(self.text)

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def answered(self) -> "Client":
        """Wait for the head of the answer."""
        return await self.until(lambda: self.status != 0)

    async def until_event(self) -> "Client":
        """Wait for the first event."""
        return await self.until(lambda: self.events)

    async def until(self, condition: Callable[[], object]) -> "Client":
        """Wait until the condition holds; asked after each message."""
        while not condition():
            if self.task.done():
                self.task.result()
                if not condition():
                    raise AssertionError(f"ended too early: {self.status} {self.text}")
                break
            self._changed.clear()
            waiting = asyncio.ensure_future(self._changed.wait())
            await asyncio.wait({self.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        return self

    async def _receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.text += message.get("body", b"").decode()
            self.finished = not message.get("more_body", False)
        self._changed.set()
