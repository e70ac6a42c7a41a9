"""Of a database that hangs, one caller at a time finds out whether it is back."""

import socket
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from madang.db.engine import Database
from madang.db.hanging import PAUSE_SECONDS, HangGuard
from madang.errors import DatabaseUnavailableError


class Turned:
    """A clock that is turned by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Turned:
    return Turned()


@pytest.fixture
def guard(clock: Turned) -> HangGuard:
    return HangGuard(clock)


def timeout() -> OperationalError:
    """As the driver tells it."""
    lost = Exception(2013, "Lost connection to MySQL server during query (timed out)")
    lost.__context__ = TimeoutError("timed out")
    return OperationalError("SELECT 1", None, lost)


def hang(guard: HangGuard) -> None:
    with pytest.raises(OperationalError), guard.asking():
        raise timeout()


def is_refused(guard: HangGuard) -> bool:
    try:
        with guard.asking():
            return False
    except DatabaseUnavailableError:
        return True


def test_after_a_timeout_nobody_asks_for_a_second(guard: HangGuard, clock: Turned) -> None:
    hang(guard)
    assert is_refused(guard)
    clock.now += PAUSE_SECONDS
    assert not is_refused(guard)
    assert not is_refused(guard)


def test_trial_without_a_connection_has_found_out_nothing(guard: HangGuard, clock: Turned) -> None:
    hang(guard)
    clock.now += PAUSE_SECONDS
    with pytest.raises(PoolTimeoutError), guard.asking():
        raise PoolTimeoutError
    assert is_refused(guard)
    clock.now += PAUSE_SECONDS
    assert not is_refused(guard)


def test_late_timeout_of_before_lets_no_second_one_try(guard: HangGuard, clock: Turned) -> None:
    early = ExitStack()
    early.enter_context(guard.asking())
    hang(guard)
    clock.now += PAUSE_SECONDS
    with guard.asking():  # the trial
        with pytest.raises(OperationalError), early:
            raise timeout()
        clock.now += PAUSE_SECONDS
        assert is_refused(guard)
    assert not is_refused(guard)


def test_while_one_tries_the_others_are_refused(guard: HangGuard, clock: Turned) -> None:
    hang(guard)
    clock.now += PAUSE_SECONDS

    def try_for_a_minute() -> None:
        clock.now += 60
        assert is_refused(guard)
        raise timeout()

    with pytest.raises(OperationalError), guard.asking():
        try_for_a_minute()
    assert is_refused(guard)
    clock.now += PAUSE_SECONDS
    assert not is_refused(guard)


def test_other_faults_are_no_hang(guard: HangGuard) -> None:
    gone = OperationalError("SELECT 1", None, Exception(2006, "gone away"))
    for fault in (gone, ValueError()):
        with pytest.raises(type(fault)), guard.asking():
            raise fault
        assert not is_refused(guard)


def test_trial_that_fails_at_once_shows_that_it_hangs_no_longer(
    guard: HangGuard, clock: Turned
) -> None:
    hang(guard)
    clock.now += PAUSE_SECONDS
    with pytest.raises(ValueError, match="its own"), guard.asking():
        raise ValueError("its own")
    assert not is_refused(guard)


def test_one_that_asked_before_the_hang_and_is_answered_ends_it(guard: HangGuard) -> None:
    with guard.asking():
        hang(guard)
        assert is_refused(guard)
    assert not is_refused(guard)


@pytest.mark.parametrize("accepts", [True, False], ids=["never greets", "never accepts"])
def test_driver_tells_a_timeout_as_the_guard_expects_it(*, accepts: bool) -> None:
    """A socket that takes connections and says nothing, or whose queue is full."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64 if accepts else 0)
        waiting = [] if accepts else fill(silent.getsockname())
        url = f"mariadb://nobody:nothing@127.0.0.1:{silent.getsockname()[1]}/none"
        database = Database(url, pool_size=1, answer_seconds=1)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailableError) as refused:
                database.ping()
        assert refused.value.detail == "The database does not answer in time"
        for each in waiting:
            each.close()


def fill(address: tuple[str, int]) -> list[socket.socket]:
    """Connections until no more is accepted."""
    waiting = []
    for _ in range(8):
        each = socket.socket()
        each.settimeout(0.2)
        waiting.append(each)
        if each.connect_ex(address):
            return waiting
    raise AssertionError("the queue is never full")


def test_threads_are_free_while_one_tries(guard: HangGuard, clock: Turned) -> None:
    hang(guard)
    clock.now += PAUSE_SECONDS
    trying, ending, refused = threading.Event(), threading.Event(), []

    def attempt() -> None:
        with guard.asking():
            trying.set()
            assert ending.wait(10)

    first = threading.Thread(target=attempt)
    first.start()
    assert trying.wait(10)
    others = [threading.Thread(target=lambda: refused.append(is_refused(guard))) for _ in range(5)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(10)
    ending.set()
    first.join(10)
    assert refused == [True] * 5
    assert not is_refused(guard)
