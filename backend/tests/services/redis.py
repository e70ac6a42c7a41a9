"""A private Redis, or databases on one that runs already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from redis import Redis as Client
from redis.exceptions import RedisError

from tests.services.errors import ServiceError
from tests.services.ports import free_port
from tests.services.process import Account, Process, find_program, own_directory


@dataclass(frozen=True, slots=True)
class Redis:
    """A server; `process` is None when it is not ours."""

    address: str
    process: Process | None = None

    def url(self, database: int = 0) -> str:
        """The address of one database, as `MADANG_REDIS_URL` takes it."""
        parts = urlsplit(self.address)
        return urlunsplit(parts._replace(path=f"/{database}"))

    def empty(self, database: int = 0) -> str:
        """Remove everything from a database and return its address."""
        with Client.from_url(self.url(database)) as client:
            client.flushdb()
        return self.url(database)

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            with Client.from_url(self.address) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def start(self) -> None:
        """Start our server again, on the same port."""
        self._own().start()

    def stop(self) -> None:
        """End our server."""
        self._own().stop()

    def _own(self) -> Process:
        if self.process is None:
            raise ServiceError(f"Redis at {self.address} is not ours to stop")
        return self.process


@contextmanager
def redis(directory: Path, *, port: int | None = None, memory: str = "64mb") -> Iterator[Redis]:
    """A server that keeps nothing on disk and evicts only what has a time to live."""
    account = Account.first_of("redis")
    own_directory(directory, account)
    port = port or free_port()
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "dir": str(directory),
        "maxmemory": memory,
        "maxmemory-policy": "volatile-lru",
    }
    argv = [find_program("redis-server", "valkey-server")]
    for name, value in options.items():
        argv += [f"--{name}", value]
    process = Process(
        "Redis",
        argv,
        log=directory / "redis.log",
        account=account,
    )
    server = Redis(f"redis://127.0.0.1:{port}", process)
    process.ready = server.answers
    try:
        server.start()
        yield server
    finally:
        process.stop()
