"""Brokers that fail, and a topic that is deleted, on a cluster of three."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest

from tests.chaos.comparison import CATCH_UP_SECONDS, assert_counted
from tests.chaos.events import call_id_of, messages
from tests.chaos.world import BURST, REDIS_DATABASE, World, running_world
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB
from tests.services.redis import Redis
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]

DOWN_SECONDS = 20.0


class MakesWorld(Protocol):
    """Makes a world on the cluster."""

    def __call__(
        self, *, environment: Mapping[str, str] | None = None
    ) -> AbstractContextManager[World]: ...


@pytest.fixture(scope="module")
def cluster(services_directory: Path) -> Iterator[Kafka]:
    """Three brokers; each test leaves them whole."""
    with kafka(services_directory / "cluster", nodes=3) as made:
        yield made


@pytest.fixture(scope="module")
def made_world(
    services_directory: Path, mariadb_server: MariaDB, redis_server: Redis, cluster: Kafka
) -> MakesWorld:
    redis_server.empty(REDIS_DATABASE)

    def make(*, environment: Mapping[str, str] | None = None) -> AbstractContextManager[World]:
        return running_world(
            services_directory,
            mariadb_server,
            redis_server,
            cluster,
            replication=3,
            environment=environment,
        )

    return make


@pytest.fixture(scope="module")
def shared_world(made_world: MakesWorld) -> Iterator[World]:
    with made_world() as made:
        yield made


def test_all_brokers_down_are_waited_for_and_requests_never_notice(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        with world.ledger.fault():
            world.kafka.kill()
            world.ledger.wait_for_seconds(DOWN_SECONDS)
        world.kafka.start()
        world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    world.ledger.assert_nobody_waited()
    assert set(world.ledger.statuses) == {200, 201}


def test_one_broker_of_three_may_be_killed_the_leader_too(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        for is_leader in (False, True):
            leader = leader_of_the_busy_partition(world)
            node = next(n for n in world.kafka.nodes if (n.number == leader) == is_leader)
            with world.ledger.fault():
                node.kill()
                answered = set(world.ledger.answered)
                world.ledger.wait_for_answers(BURST)
                # Two brokers acknowledge, so history goes on while the third is down.
                wait_until(partial(world.history.holds, answered), CATCH_UP_SECONDS, "history")
            world.kafka.start()
            world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    world.ledger.assert_nobody_waited()


def leader_of_the_busy_partition(world: World) -> int:
    """One instance's calls all go to one partition."""
    wait_until(world.history.ids, CATCH_UP_SECONDS, "the first calls in history")
    offsets = world.history.offsets()
    (_, partition) = max(offsets, key=lambda key: offsets[key][0])
    found = world.kafka.admin.list_topics(world.topic, timeout=10).topics[world.topic]
    return int(found.partitions[partition].leader)


def test_topic_made_again_loses_nothing_that_the_spool_still_holds(world: World) -> None:
    with world.ledger.clients():
        world.ledger.wait_for_answers(BURST)
        wait_until(world.history.ids, CATCH_UP_SECONDS, "the first calls in history")
        with world.ledger.fault():
            world.stack.record.pause()
            world.ledger.wait_for_answers(BURST)
            unrecorded = in_topic_and_not_recorded(world)
            world.kafka.delete_topic(world.topic)
            world.ledger.wait_for_answers(BURST)
            world.stack.run("topics")
            world.stack.record.resume()
            world.ledger.wait_for_answers(BURST)
    assert unrecorded, "the deletion destroyed nothing"
    world.assert_whole()
    assert lost(world) == 0
    world.ledger.assert_nobody_waited()


def test_topic_made_again_counts_as_lost_what_neither_it_nor_the_spool_holds(
    made_world: MakesWorld,
) -> None:
    """Segments of a few calls each are gone from the spool as soon as they are delivered.

    So nothing may be on its way while the topic is deleted: it would be destroyed, too.
    """
    with made_world(environment={"MADANG_SPOOL_SEGMENT_BYTES": "4096"}) as world:
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST)
            wait_until(world.history.ids, CATCH_UP_SECONDS, "the first calls in history")
            world.stack.record.kill()
            world.ledger.wait_for_answers(BURST)
        wait_until(lambda: spool_is_delivered(world), CATCH_UP_SECONDS, "the topic to have it all")
        destroyed = in_topic_and_not_recorded(world)
        world.kafka.delete_topic(world.topic)
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST)
            world.stack.run("topics")
            world.stack.record.start()
            world.ledger.wait_for_answers(BURST)
        later = set(world.ledger.answered) - destroyed
        wait_until(lambda: world.history.holds(later), CATCH_UP_SECONDS, "what was not destroyed")
        missing = set(world.ledger.answered) - set(world.history.ids())
        assert missing <= destroyed
        assert missing, "the spool held all of it"
        assert len(missing) <= lost(world) <= len(destroyed)
        assert_counted(world.history)
        assert "calls_lost" in world.stack.record.log.read_text()
        assert "topic_made_again" in world.stack.ship.log.read_text()


def in_topic_and_not_recorded(world: World) -> set[UUID]:
    found = messages(world.kafka, world.topic, {})
    return {call_id_of(message) for message in found} - set(world.history.ids())


def spool_is_delivered(world: World) -> bool:
    in_topic = {call_id_of(message) for message in messages(world.kafka, world.topic, {})}
    return set(world.ledger.answered) <= in_topic


def lost(world: World) -> int:
    return sum(number for _, number in world.history.offsets().values())
