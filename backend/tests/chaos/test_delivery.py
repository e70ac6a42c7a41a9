"""Every answered call is in history once, whatever is broken on its way there."""

import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.chaos.ledger import HistoryRows, Ledger, assert_whole, differences
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB, mariadb
from tests.services.process import Process
from tests.services.redis import Redis, redis
from tests.services.stack import Dependencies, Stack
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

BURST = 150


@dataclass(frozen=True)
class World:
    """Everything that a test may break, and what its clients saw."""

    stack: Stack
    database: MariaDB
    redis: Redis
    kafka: Kafka
    ledger: Ledger
    history: HistoryRows


@pytest.fixture
def world(services_directory: Path) -> Iterator[World]:
    """A whole system of this test's own, with clients ready to begin."""
    directory = services_directory / f"chaos-{uuid4().hex[:8]}"
    with ExitStack() as ends:
        database = ends.enter_context(mariadb(directory / "mariadb"))
        cache = ends.enter_context(redis(directory / "redis"))
        brokers = ends.enter_context(kafka(directory / "kafka"))
        url = ends.enter_context(database.database("chaos"))
        stack = Stack(
            directory / "stack", Dependencies(url, cache.url(), brokers.bootstrap, "api-logs")
        )
        ends.callback(stack.stop)
        stack.start()
        history = HistoryRows(url)
        ends.callback(history.close)
        yield World(stack, database, cache, brokers, Ledger(stack.url), history)


def a_moment() -> None:
    """Somewhere in mid-burst."""
    threading.Event().wait(random.uniform(0.05, 0.4))


def kill_and_restart(process: Process) -> None:
    process.kill()
    process.start()


def kill_a_worker(world: World) -> None:
    random.choice(world.stack.api.children()).send_signal(signal.SIGKILL)
    # A second crash within seconds ends the server by its own rule.
    threading.Event().wait(6)


def kill_the_api(world: World) -> None:
    workers = world.stack.api.children()
    world.stack.api.kill()
    for worker in workers:
        worker.wait(5)
    world.stack.api.start()


FAULTS: dict[str, tuple[Callable[[World], None], int]] = {
    "an api worker is killed": (kill_a_worker, 2),
    "the api is killed": (kill_the_api, 3),
    "the shipper is killed": (lambda world: kill_and_restart(world.stack.ship), 4),
    "the recorder is killed": (lambda world: kill_and_restart(world.stack.record), 3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_or_doubled_when(world: World, fault: str) -> None:
    break_something, times = FAULTS[fault]
    with world.ledger.clients():
        for _ in range(times):
            world.ledger.wait_for_answers(BURST)
            a_moment()
            break_something(world)
        world.ledger.wait_for_answers(BURST)
    assert_whole(world.ledger, world.history)


def test_broker_that_is_down_is_waited_for_and_requests_never_notice(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        world.kafka.kill()
        before = len(world.ledger.answered)
        world.ledger.wait_for_answers(4 * BURST)
        assert len(world.ledger.answered) > before
        world.kafka.start()
        world.ledger.wait_for_answers(BURST)
    assert_whole(world.ledger, world.history)
    assert set(world.ledger.statuses) == {200, 201}


def test_redis_that_goes_holds_nothing_back(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        world.redis.stop()
        world.ledger.wait_for_answers(3 * BURST)
    assert_whole(world.ledger, world.history)
    assert set(world.ledger.statuses) == {200, 201}


def test_database_that_restarts_is_waited_for_and_its_503s_are_recorded(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        world.database.stop()
        world.ledger.wait_for_answers(20)
        world.database.start()
        world.ledger.wait_for_answers(BURST)
    assert_whole(world.ledger, world.history)
    assert set(world.ledger.statuses) <= {200, 201, 503}


def test_recorder_that_wakes_after_another_took_over_writes_nothing_twice(world: World) -> None:
    second = world.stack.another("record")
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        world.stack.record.pause()
        try:
            second.start()
            world.ledger.wait_for_answers(BURST)
            answered = set(world.ledger.answered)
            # Only the second can write these: the first is stopped until its session is over.
            wait_until(lambda: answered <= set(world.history.ids()), 40, "the second recorder")
            world.stack.record.resume()
            world.ledger.wait_for_answers(BURST)
        finally:
            world.stack.record.resume()
            second.stop()
    assert_whole(world.ledger, world.history)


def test_comparison_names_the_call_that_is_missing_and_the_one_that_is_doubled() -> None:
    calls = [uuid4() for _ in range(5)]
    assert differences(calls, calls) == []
    (missing,) = differences(calls, calls[1:])
    assert str(calls[0]) in missing
    (doubled,) = differences(calls, [*calls, calls[3]])
    assert str(calls[3]) in doubled
