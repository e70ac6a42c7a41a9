"""A whole system that a test may break, with clients ready to begin."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from tests.chaos.comparison import History, assert_whole
from tests.chaos.ledger import Ledger
from tests.services.kafka import Kafka
from tests.services.mariadb import MariaDB
from tests.services.redis import Redis
from tests.services.stack import Dependencies, Stack

BURST = 150
REDIS_DATABASE = 3


@dataclass(frozen=True)
class World:
    """Everything that a test may break, and what its clients saw."""

    stack: Stack
    topic: str
    database: MariaDB
    redis: Redis
    kafka: Kafka
    ledger: Ledger
    history: History

    @property
    def spool(self) -> Path:
        """Where the calls wait."""
        return Path(self.stack.environment["MADANG_SPOOL_DIR"])

    def anew(self) -> "World":
        """The same for the next test, with clients of its own; what the last one killed runs."""
        for process in self.stack.processes.values():
            if not process.running:
                process.start()
        self.stack.wait_ready()
        return replace(self, ledger=Ledger(self.stack.url))

    def assert_whole(self) -> None:
        """All that was answered is in history once, and nothing went unrecorded."""
        assert_whole(self.ledger.answered, self.history)
        assert self.ledger.unrecorded == 0


@contextmanager
def running_world(
    directory: Path,
    database: MariaDB,
    cache: Redis,
    brokers: Kafka,
    *,
    replication: int = 1,
    environment: Mapping[str, str] | None = None,
) -> Iterator[World]:
    """Madang on these services, with a database and a topic of its own."""
    name = f"chaos_{uuid4().hex[:8]}"
    with ExitStack() as ends:
        url = ends.enter_context(database.database(name))
        topic = ends.enter_context(brokers.topic())
        stack = Stack(
            directory / name,
            Dependencies(
                url, cache.url(REDIS_DATABASE), brokers.bootstrap, topic, replication=replication
            ),
            environment=environment,
        )
        ends.enter_context(stack.running(orderly=False))
        history = History(url)
        ends.callback(history.close)
        yield World(stack, topic, database, cache, brokers, Ledger(stack.url), history)
