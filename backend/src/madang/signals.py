"""Signals to stop. A handler may not set an event for which its own thread waits.

It may come while that thread begins to wait and holds the event's lock, and would then wait for
itself for ever.
"""

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def at_stop_signal(act: Callable[[int], object]) -> None:
    """Call `act` with the first SIGINT or SIGTERM, in a thread of its own; for the main thread.

    Only signals that have a handler in Python count. There is one `at_stop_signal` or `SignalEvent`
    in a process.
    """
    reading, _ = _noted()

    def listen() -> None:
        while (number := os.read(reading, 1)[0]) not in STOP_SIGNALS:
            pass
        act(number)

    threading.Thread(target=listen, name="signals", daemon=True).start()


def stop_event() -> threading.Event:
    """An event that SIGINT and SIGTERM set, whoever waits for it; for the main thread."""
    stop = threading.Event()
    at_stop_signal(lambda _: stop.set())
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)
    return stop


class SignalEvent(threading.Event):
    """An event that a signal handler may set for its own thread, which waits for it.

    It is set by a byte in a pipe, which every signal also writes by itself: `wait` returns after
    any signal, so what it is for has to be asked elsewhere. One thread may wait.
    """

    def __init__(self) -> None:
        """Take the signals of this process; for its main thread."""
        super().__init__()
        self._reading, self._writing = _noted()
        os.set_blocking(self._reading, False)

    def set(self) -> None:
        """Let `wait` return, the one that is waiting or else the next."""
        with contextlib.suppress(BlockingIOError):  # then there is enough in it already
            os.write(self._writing, b"\0")

    def is_set(self) -> bool:
        """Whether `wait` would return at once."""
        return bool(select.select([self._reading], [], [], 0)[0])

    def clear(self) -> None:
        """Nothing to do: `wait` takes away what let it return."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or a signal comes; False after `timeout` seconds."""
        if not select.select([self._reading], [], [], timeout)[0]:
            return False
        os.read(self._reading, select.PIPE_BUF)
        return True


def _noted() -> tuple[int, int]:
    """The ends of a pipe into which Python writes the number of every signal it handles."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading, writing
