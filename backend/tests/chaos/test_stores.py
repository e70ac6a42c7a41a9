"""Redis is a cache, and a database that restarts is waited for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis as RedisClient

from tests.chaos.world import BURST, REDIS_DATABASE, World, running_world
from tests.services.kafka import Kafka
from tests.services.mariadb import MariaDB, mariadb
from tests.services.redis import Redis, redis

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]


@pytest.fixture
def own_redis(services_directory: Path) -> Iterator[Redis]:
    """A Redis to break."""
    with redis(services_directory / "chaos-redis") as made:
        yield made


def test_redis_that_is_never_there_is_not_missed(
    services_directory: Path, mariadb_server: MariaDB, own_redis: Redis, kafka_server: Kafka
) -> None:
    own_redis.stop()
    with running_world(services_directory, mariadb_server, own_redis, kafka_server) as world:
        with world.ledger.clients(), world.ledger.fault():
            world.ledger.wait_for_answers(3 * BURST)
        world.assert_whole()
        assert set(world.ledger.statuses) == {200, 201}
        assert world.ledger.p99_of_faults() < 1


def test_redis_that_goes_and_comes_back_empty_holds_nothing_back(
    services_directory: Path, mariadb_server: MariaDB, own_redis: Redis, kafka_server: Kafka
) -> None:
    with running_world(services_directory, mariadb_server, own_redis, kafka_server) as world:
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST)
            with world.ledger.fault():
                own_redis.stop()
                world.ledger.wait_for_answers(2 * BURST)
            own_redis.start()
            world.ledger.wait_for_answers(BURST)
        world.assert_whole()
        world.ledger.assert_nobody_waited()
        assert set(world.ledger.statuses) == {200, 201}


def test_redis_that_is_emptied_logs_nobody_out_and_loses_nothing(world: World) -> None:
    with world.ledger.clients(), RedisClient.from_url(world.redis.url(REDIS_DATABASE)) as client:
        world.ledger.wait_for_answers(BURST)
        with world.ledger.fault():
            for _ in range(3):
                client.flushall()
                world.ledger.wait_for_answers(BURST)
    world.assert_whole()
    world.ledger.assert_nobody_waited()
    assert set(world.ledger.statuses) == {200, 201}


def test_database_that_restarts_is_waited_for_and_its_503s_are_recorded(
    services_directory: Path, redis_server: Redis, kafka_server: Kafka
) -> None:
    redis_server.empty(REDIS_DATABASE)
    with (
        mariadb(services_directory / "chaos-mariadb") as database,
        running_world(services_directory, database, redis_server, kafka_server) as world,
    ):
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST)
            with world.ledger.fault():
                database.stop()
                world.ledger.wait_for_answers(3 * BURST)
            database.start()
            world.ledger.wait_for_answers(BURST)
        world.assert_whole()
        world.ledger.assert_nobody_waited()
        assert set(world.ledger.statuses) == {200, 201, 503}
