"""A world of its own for each test, on the session's services."""

import os
import random
from collections.abc import Iterator
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


@pytest.fixture
def world(
    services_directory: Path, mariadb_server: MariaDB, redis_server: Redis, kafka_server: Kafka
) -> Iterator[World]:
    """Madang on services that the test leaves alone: it breaks Madang's own processes."""
    redis_server.empty(REDIS_DATABASE)
    with running_world(services_directory, mariadb_server, redis_server, kafka_server) as made:
        yield made
