"""Call events as the shipper adds them to the live store, some of them with the time in them."""

import threading
import time
from datetime import UTC, datetime

from madang.calls.event import CallEvent, encode, new_call_id
from madang.calls.recent import RedisRecentCalls

MARK = b"probe "
_DIGITS = 16
ONE_PROBE_IN = 10


def sent_at_ns(text: bytes, mark_at: int) -> int:
    """The moment of `time.monotonic_ns` that stands behind a mark."""
    start = mark_at + len(MARK)
    return int(text[start : start + _DIGITS], 16)


def call_event(message: str) -> bytes:
    """A call like most: a list that was read."""
    now = datetime.now(UTC)
    return encode(
        CallEvent(
            id=new_call_id(now),
            timestamp=now,
            service_name="madang-api",
            instance="bench-api-0",
            method="GET",
            endpoint="/api/messages",
            path="/api/messages",
            status=200,
            duration_us=1_234,
            user_id="bench-user",
            trace_id="0af7651916cd43dd8448eb211c80319c",
            message=message,
        )
    )


class Calls:
    """Adds calls at a steady rate in a thread of its own, from `start` until `stop`."""

    def __init__(self, recent: RedisRecentCalls, per_second: int) -> None:
        self._recent = recent
        self._per_second = per_second
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failure: Exception | None = None
        self.added = self.probes = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End.

        Raises:
            RedisUnavailableError: a call could not be added.
        """
        self._ending.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ending.is_set():
            due = int((time.monotonic() - began) * self._per_second) - self.added
            try:
                for _ in range(due):
                    self._add()
            except Exception as error:
                self._failure = error
                return
            self._ending.wait(0.5 / self._per_second)

    def _add(self) -> None:
        message = "GET /api/messages 200 in 1.2 ms by bench-user"
        if self.added % ONE_PROBE_IN == 0:
            message = f"{MARK.decode()}{time.monotonic_ns():0{_DIGITS}x}"
            self.probes += 1
        self._recent.add([call_event(message)])
        self.added += 1
