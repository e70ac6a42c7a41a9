"""A world for each file, on the session's services; and chance."""

import os
import random
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.chaos.world import REDIS_DATABASE, World, running_world
from tests.services.kafka import Kafka
from tests.services.mariadb import MariaDB
from tests.services.redis import Redis


@pytest.fixture
def chance() -> random.Random:
    """Decides when and what to break; a failure shows the seed, with which it can be repeated."""
    seed = int(os.environ.get("MADANG_TEST_SEED") or random.randrange(2**32))
    print(f"MADANG_TEST_SEED={seed}")  # noqa: T201
    return random.Random(seed)


@pytest.fixture(scope="module")
def shared_world(
    services_directory: Path, mariadb_server: MariaDB, redis_server: Redis, kafka_server: Kafka
) -> Iterator[World]:
    """Madang on services that the tests leave alone: they break Madang's own processes."""
    redis_server.empty(REDIS_DATABASE)
    with running_world(services_directory, mariadb_server, redis_server, kafka_server) as made:
        yield made


@pytest.fixture
def world(shared_world: World) -> World:
    """The file's world, whole, with clients of the test's own."""
    return shared_world.anew()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what each process said last."""
    report = yield
    world = getattr(item, "funcargs", {}).get("world")
    if report.failed and isinstance(world, World):
        for name, process in world.stack.processes.items():
            report.sections.append((name, process.log_tail()))
    return report
