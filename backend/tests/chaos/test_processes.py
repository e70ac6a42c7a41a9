"""Every answered call is in history once, whichever process of Madang dies, and whenever."""

import random
from collections.abc import Callable
from contextlib import ExitStack

import psutil
import pytest

from tests.chaos.comparison import assert_whole
from tests.chaos.events import Feeder
from tests.chaos.world import BURST, World
from tests.services.process import Process
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

WORKERS = 2


def kill_a_worker(world: World) -> None:
    """Never the newest: the server ends when the same one crashes twice within seconds."""
    workers = wait_until(lambda: all_workers(world), 10, "all workers of the api")
    min(workers, key=psutil.Process.create_time).kill()


def all_workers(world: World) -> list[psutil.Process]:
    """The workers, once none is missing."""
    workers = [child for child in world.stack.api.children() if child.is_running()]
    return workers if len(workers) == WORKERS else []


def kill_the_api(world: World) -> None:
    workers = world.stack.api.children()
    world.stack.api.kill()
    gone, alive = psutil.wait_procs(workers, timeout=5)
    assert gone, "the api had no workers"
    assert not alive, "a worker survived its supervisor"
    world.stack.api.start()


def kill_and_restart(process: Process) -> None:
    process.kill()
    process.start()


FAULTS: dict[str, tuple[Callable[[World], None], int]] = {
    "an api worker is killed": (kill_a_worker, 4),
    "the api's supervisor is killed": (kill_the_api, 3),
    "the shipper is killed": (lambda world: kill_and_restart(world.stack.ship), 5),
    "the recorder is killed": (lambda world: kill_and_restart(world.stack.record), 5),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_or_doubled_when(world: World, chance: random.Random, fault: str) -> None:
    break_something, times = FAULTS[fault]
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        for _ in range(times):
            with world.ledger.fault():
                break_something(world)
                world.ledger.wait_for_answers(chance.randint(20, BURST))
        world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    world.ledger.assert_nobody_waited()
    assert set(world.ledger.statuses) <= {200, 201, 502}


def test_recorder_that_wakes_after_another_took_over_writes_nothing_twice(
    world: World, chance: random.Random
) -> None:
    second = world.stack.another("record", 2)
    with ExitStack() as ends:
        ends.callback(second.stop)
        ends.callback(world.stack.record.resume)
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST + chance.randint(0, BURST))
            with world.ledger.fault():
                world.stack.record.pause()
                second.start()
                answered = set(world.ledger.answered)
                # Only the second can write these, once the session of the first is over.
                wait_until(lambda: world.history.holds(answered), 40, "the second recorder")
            world.stack.record.resume()
            world.ledger.wait_for_answers(BURST)
            second.kill()
            world.ledger.wait_for_answers(BURST)
        world.assert_whole()
    world.ledger.assert_nobody_waited()


def test_recorders_that_join_and_leave_share_the_partitions_without_loss(
    world: World, chance: random.Random
) -> None:
    others = [world.stack.another("record", number) for number in (2, 3)]
    feeder = Feeder(world.kafka, world.topic)
    with ExitStack() as ends:
        for other in others:
            ends.callback(other.stop)
        with feeder.running(), world.ledger.clients(), world.ledger.fault():
            world.ledger.wait_for_answers(BURST)
            for other in [*others, *others]:
                if other.running:
                    other.stop()
                else:
                    other.start()
                world.ledger.wait_for_answers(chance.randint(BURST, 3 * BURST))
        assert_whole([*world.ledger.answered, *feeder.acknowledged], world.history)
    assert {partition for _, partition in world.history.offsets()} == {0, 1, 2}
