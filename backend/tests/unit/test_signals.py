"""Events that signals set, whenever these come."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import pytest

from madang.signals import STOP_SIGNALS, SignalEvent, stop_event

if TYPE_CHECKING:
    from _typeshed import TraceFunction

WAIT_SECONDS = 15.0


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Signals mean afterwards what they meant before."""
    numbers = (*STOP_SIGNALS, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def event() -> SignalEvent:
    """One whose thread is this one, with a handler that sets it."""
    made = SignalEvent()
    signal.signal(signal.SIGUSR1, lambda *_: made.set())
    return made


@contextmanager
def signalled_at_each_line(number: signal.Signals) -> Iterator[None]:
    """One signal before each line that this thread runs in functions it calls."""

    def interrupt(_frame: FrameType, _event: str, _argument: object) -> "TraceFunction":
        os.kill(os.getpid(), number)
        return interrupt

    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        yield
    finally:
        sys.settrace(before)


def test_event_is_set_by_a_handler_at_any_line_of_its_wait(event: SignalEvent) -> None:
    """Where the usual event would wait for itself."""
    with signalled_at_each_line(signal.SIGUSR1):
        assert event.wait(WAIT_SECONDS)


def test_event_wakes_for_a_signal_that_was_noted_without_waking(event: SignalEvent) -> None:
    timer = threading.Timer(0.2, _thread.interrupt_main, [signal.SIGUSR1])
    timer.start()

    assert event.wait(WAIT_SECONDS)
    timer.join()


def test_event_that_is_not_set_is_waited_for_and_one_set_counts_once(event: SignalEvent) -> None:
    assert not event.wait(0)
    for _ in range(100_000):
        event.set()
    while event.wait(0):
        pass
    event.set()
    assert event.is_set()
    assert event.wait(0)
    assert not event.is_set()


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_stop_is_set_by_a_signal_at_any_line_of_a_wait(number: signal.Signals) -> None:
    stop = stop_event()
    elsewhere = threading.Thread(target=stop.wait, daemon=True)
    elsewhere.start()

    with signalled_at_each_line(number):
        assert stop.wait(WAIT_SECONDS)

    elsewhere.join(WAIT_SECONDS)
    assert not elsewhere.is_alive()


def test_stop_is_not_set_by_another_signal() -> None:
    stop = stop_event()
    signal.signal(signal.SIGUSR1, lambda *_: None)

    os.kill(os.getpid(), signal.SIGUSR1)

    assert not stop.wait(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wait(WAIT_SECONDS)
