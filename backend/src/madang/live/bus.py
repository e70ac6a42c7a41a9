"""The port that carries events from where they happen to the hub, and the in-process bus."""

import asyncio
import secrets
import threading
from typing import Protocol

from madang.live.frames import TOPICS, Topic, one_line
from madang.live.hub import Hub

WAITING_EVENTS = 20_000
"""How many events wait for a busy event loop before they are given up for a gap."""


class EventBus(Protocol):
    """Carries events to every hub that follows it.

    Shared guarantees: events of one topic arrive in the order they were published, each with a
    cursor; an event that did not get through, or may not have, shows as a gap. Publishing never
    fails its caller and never waits long.
    """

    def publish(self, topic: Topic, payload: bytes) -> None:
        """Tell all hubs; `payload` is one JSON object. From any thread."""

    async def run(self, hub: Hub) -> None:
        """Feed `hub` until cancelled. Survives the loss of what it depends on."""

    def close(self) -> None:
        """Let go of connections; publishing does nothing afterwards."""


class LocalBus:
    """Within one process: from any thread into the event loop.

    A cursor is `<epoch>.<sequence>`. The epoch is random, so a cursor from before a restart is
    unknown and its client is told of a gap.
    """

    def __init__(self) -> None:
        self._epoch = secrets.token_hex(4)
        self._sequence = 0
        self._waiting: list[tuple[Topic, str, bytes]] = []
        self._overflowed = False
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._woken = False

    def publish(self, topic: Topic, payload: bytes) -> None:
        """Hand over one event; before `run` and after `close` there is nobody to tell."""
        with self._lock:
            if self._loop is None:
                return
            self._sequence += 1
            if len(self._waiting) >= WAITING_EVENTS:
                self._waiting.clear()
                self._overflowed = True
            self._waiting.append((topic, self._cursor(), one_line(payload)))
            if not self._woken:
                self._woken = True
                self._loop.call_soon_threadsafe(self._arrived.set)

    async def run(self, hub: Hub) -> None:
        """Feed `hub` until cancelled."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._overflowed = True
            self._arrived.set()
        try:
            while True:
                await self._arrived.wait()
                self._deliver(hub)
        finally:
            self.close()

    def close(self) -> None:
        """Stop taking events."""
        with self._lock:
            self._loop = None

    def _deliver(self, hub: Hub) -> None:
        with self._lock:
            events, self._waiting = self._waiting, []
            restart, self._overflowed = self._overflowed, False
            self._arrived.clear()
            self._woken = False
            standing = self._cursor()
        if restart:
            for topic in TOPICS:
                hub.load(topic, standing)
            return
        for topic, cursor, payload in events:
            hub.add(topic, cursor, payload)

    def _cursor(self) -> str:
        return f"{self._epoch}.{self._sequence}"
