"""Clients that keep asking, and note every answer they got."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from uuid import UUID, uuid4

import httpx

from tests.services.waiting import wait_until

CLIENTS = 4
PAUSE_SECONDS = 0.01
PASSWORD = "correct horse battery"
REQUEST_SECONDS = 20.0

SLOWER_AT_MOST = 5.0
FLOOR_SECONDS = 1.0
"""What a busy machine may add to the slowest request in a hundred: a part that is down takes
seconds to give up on, a broker or a database five and more."""

_NGINX_ALONE = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""Answers that nginx makes when it gets none from the API, so no call."""


class Ledger:
    """What was answered, by the identifier of its call event, and how long each took."""

    def __init__(self, url: str, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Register at this address; each client pauses so long between two requests."""
        self._url = url
        self._pause_seconds = pause_seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._taken: list[tuple[float, float]] = []
        self._faults: list[tuple[float, float]] = []
        self.answered: list[UUID] = []
        self.unrecorded = 0
        self.statuses: Counter[int] = Counter()
        self._cookie = self._register()

    @contextmanager
    def clients(self) -> Iterator[None]:
        """Posting and reading from several connections, inside the block."""
        threads = [
            threading.Thread(target=self._ask, args=[number], name=f"client-{number}")
            for number in range(CLIENTS)
        ]
        self._stop.clear()
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Inside the block something is broken that no request may wait for."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._faults.append((began, time.monotonic()))

    def wait_for_answers(self, more: int, seconds: float = 60) -> None:
        """Wait until this many more calls have been answered."""
        wanted = self.total() + more
        wait_until(lambda: self.total() >= wanted, seconds, f"{more} more answers")

    def wait_for_seconds(self, seconds: float) -> None:
        """Wait until the clients have gone on for so long."""
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end, seconds + 1, "the time to pass")
        self.wait_for_answers(1)

    def total(self) -> int:
        """How many calls were answered."""
        return len(self.answered) + self.unrecorded

    def p99_of_faults(self) -> float:
        """Of the requests that were on their way while something was broken, in seconds."""
        return _p99(
            end - begin
            for begin, end in self._taken
            if any(begin < fault_end and end > fault for fault, fault_end in self._faults)
        )

    def p99_before_faults(self) -> float:
        """Of the requests that were over before anything was broken, in seconds."""
        first = min(begin for begin, _ in self._faults)
        return _p99(end - begin for begin, end in self._taken if end < first)

    def assert_nobody_waited(self) -> None:
        """The slowest request in a hundred of the faults against that of the time before them."""
        before, during = self.p99_before_faults(), self.p99_of_faults()
        assert during <= max(SLOWER_AT_MOST * before, FLOOR_SECONDS), (
            f"p99 was {during:.3f} s during the fault and {before:.3f} s before"
        )

    def _register(self) -> str:
        with httpx.Client(base_url=self._url, timeout=REQUEST_SECONDS) as client:
            credentials = {"username": f"chaos-{uuid4().hex[:8]}", "password": PASSWORD}
            answer = client.post("/api/users", json=credentials)
            answer.raise_for_status()
            self._note(answer)
            return f"madang_session={client.cookies['madang_session']}"

    def _ask(self, number: int) -> None:
        headers = {"Cookie": self._cookie}
        asked = 0
        while not self._stop.wait(self._pause_seconds):
            with (
                suppress(httpx.TransportError),  # no answer, so nothing that history must have
                httpx.Client(
                    base_url=self._url, headers=headers, timeout=REQUEST_SECONDS
                ) as client,
            ):
                while not self._stop.wait(self._pause_seconds):
                    asked += 1
                    self._ask_once(client, f"{number}-{asked}", asked)

    def _ask_once(self, client: httpx.Client, body: str, asked: int) -> None:
        began = time.monotonic()
        try:
            if asked % 3:
                self._note(client.post("/api/messages", json={"body": body}))
            else:
                self._note(client.get("/api/messages?limit=10"))
        finally:
            self._taken.append((began, time.monotonic()))

    def _note(self, answer: httpx.Response) -> None:
        call_id = answer.headers.get("Madang-Call")
        with self._lock:
            self.statuses[answer.status_code] += 1
            if call_id is not None:
                self.answered.append(UUID(call_id))
            elif answer.status_code not in _NGINX_ALONE:
                self.unrecorded += 1


def _p99(seconds: Iterator[float]) -> float:
    """Without the slowest of each client: one moment in which the disk stands still holds up these.

    Of 500 and more that is the slowest in a hundred anyway; who waits for a part that is down is
    held up each time.
    """
    ordered = sorted(seconds)
    assert len(ordered) > 10 * CLIENTS, "too little was asked"
    return ordered[min(int(len(ordered) * 0.99), len(ordered) - 1 - CLIENTS)]
