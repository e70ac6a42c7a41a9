"""Real services, started when the first test asks for them, and a clean part of each for a test.

`MADANG_TEST_DATABASE_URL`, `MADANG_TEST_REDIS_URL` and `MADANG_TEST_KAFKA_BOOTSTRAP` name running
ones to use instead. What is missing is an error, never a skip.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from madang.telemetry import bind_request_id
from tests.services.errors import ServiceError
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB, mariadb
from tests.services.otlp import OtlpReceiver, otlp_receiver
from tests.services.redis import Redis, redis
from tests.services.stack import Embedded, Stack, dependencies
from tests.services.workspace import temporary_directory

TOGETHER = ("tests/chaos/", "tests/cluster/three_nodes/")
LONGEST = (
    *("tests/chaos/", "tests/integration/test_system.py", "tests/e2e/", "tests/integration/"),
    *("tests/cluster/test_deploy_sh", "tests/cluster/three_nodes/"),
    *("tests/cluster/test_under_load.py", "tests/cluster/test_collection_pods.py"),
)
"""These begin first, for several processes to end at the same time."""

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class _Sharing(LoadFileScheduling):
    """Whole files to a worker each, and some folders: two of chaos disturb each other."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        ranks = [rank for rank, path in enumerate(LONGEST) if item.nodeid.startswith(path)]
        return min(ranks, default=len(LONGEST))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What keeps two cores busy; chaos compares waiting times, and gets more room."""
    if chosen := os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return int(chosen)
    return 4 if "not chaos" in config.option.markexpr else 3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Sharing:
    return _Sharing(config, log)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """In a shell's background SIGINT is ignored, and so it would be in all that tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_log_context() -> None:
    """No test's log lines carry the request of another."""
    bind_request_id("")


@pytest.fixture(scope="session")
def services_directory() -> Iterator[Path]:
    """For the data of services; unlike pytest's own directories, other users may pass."""
    with temporary_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def mariadb_server(services_directory: Path) -> Iterator[MariaDB]:
    """The session's MariaDB. Tests that stop it start their own with `mariadb(...)`."""
    if url := os.environ.get("MADANG_TEST_DATABASE_URL"):
        yield MariaDB.at(url)
        return
    with mariadb(services_directory / "mariadb") as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(services_directory: Path) -> Iterator[Redis]:
    """The session's Redis. Tests that stop it start their own with `redis(...)`."""
    if url := os.environ.get("MADANG_TEST_REDIS_URL"):
        if "PYTEST_XDIST_WORKER" in os.environ:
            raise ServiceError(
                "MADANG_TEST_REDIS_URL is one Redis, which several workers would empty for each "
                "other: run pytest with --numprocesses 0"
            )
        yield Redis(url)
        return
    with redis(services_directory / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server(services_directory: Path) -> Iterator[Kafka]:
    """The session's Kafka, one node. Tests that break it start their own with `kafka(...)`."""
    if bootstrap := os.environ.get("MADANG_TEST_KAFKA_BOOTSTRAP"):
        yield Kafka(bootstrap)
        return
    with kafka(services_directory / "kafka") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def database_url(mariadb_server: MariaDB) -> Iterator[str]:
    """An empty database on MariaDB for the module, without tables."""
    with mariadb_server.database(f"test_{uuid4().hex[:12]}") as url:
        yield url


@pytest.fixture
def fresh_database_url(mariadb_server: MariaDB) -> Iterator[str]:
    """An empty database on MariaDB for one test, without tables."""
    with mariadb_server.database(f"test_{uuid4().hex[:12]}") as url:
        yield url


@pytest.fixture
def redis_url(redis_server: Redis) -> str:
    """Redis database 1, emptied. The stack's is 0."""
    return redis_server.empty(1)


@pytest.fixture
def kafka_topic(kafka_server: Kafka) -> Iterator[str]:
    """The name of a topic for one test, not made yet, deleted afterwards."""
    with kafka_server.topic() as name:
        yield name


@pytest.fixture(scope="module")
def stack(
    services_directory: Path,
    database_url: str,
    redis_server: Redis,
    kafka_server: Kafka,
) -> Iterator[Stack]:
    """The whole topology behind nginx, for the module, on its own database and topic."""
    with dependencies(database_url, redis_server, kafka_server) as given:
        made = Stack(services_directory / f"stack-{given.topic}", given)
        with made.running(orderly=False) as running:
            yield running


@pytest.fixture(scope="module")
def embedded(services_directory: Path) -> Iterator[Embedded]:
    """`madang serve` with an empty data directory, for the module."""
    with Embedded(services_directory / f"embedded-{uuid4().hex[:12]}").running() as running:
        yield running


@pytest.fixture
def otlp() -> Iterator[OtlpReceiver]:
    """A receiver of OpenTelemetry data; `otlp.environment` makes a process send there."""
    with otlp_receiver() as receiver:
        yield receiver
