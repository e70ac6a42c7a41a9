"""Madang itself as real processes: the whole topology, or the embedded process."""

import http.client
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.errors import ServiceError, ServiceMissingError
from tests.services.kafka import Kafka
from tests.services.nginx import BUILT_SPA, nginx
from tests.services.ports import free_port
from tests.services.process import Process
from tests.services.redis import Redis
from tests.services.waiting import wait_until

_START_SECONDS = 90
_STOP_SECONDS = 15
_SECRET_KEY = "only-for-tests-only-for-tests-only-for-tests"


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Where the processes find what they need."""

    database_url: str
    redis_url: str
    kafka_bootstrap: str
    topic: str = "api-logs"
    replication: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """As the processes read it."""
        return {
            "MADANG_DATABASE_URL": self.database_url,
            "MADANG_REDIS_URL": self.redis_url,
            "MADANG_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "MADANG_KAFKA_TOPIC": self.topic,
            "MADANG_KAFKA_REPLICATION": str(self.replication),
            "MADANG_KAFKA_GROUP": f"record-{self.topic}",
        }


@contextmanager
def dependencies(database_url: str, redis: Redis, kafka: Kafka) -> Iterator[Dependencies]:
    """This database, Redis' database 0, emptied, and a new topic, gone after the block."""
    with kafka.topic() as topic:
        yield Dependencies(database_url, redis.empty(0), kafka.bootstrap, topic)


class Stack:
    """nginx, api, live, ship and record; each a `Process` to kill, pause and start again.

    `process.start()` waits until it answers requests again; for all that the API needs see
    `wait_ready`.
    """

    def __init__(
        self,
        directory: Path,
        dependencies: Dependencies,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        web_root: Path = BUILT_SPA,
    ) -> None:
        """Describe a stack; nothing runs yet.

        Args:
            directory: for the spool and the logs; made when missing.
            dependencies: what runs already.
            port: of nginx; any free one when None.
            environment: further settings, which win over those made here.
            web_root: the built application.
        """
        self.directory = directory
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api_port = free_port()
        self.live_port = free_port()
        self.ship_port = free_port()
        self.record_port = free_port()
        self.environment = clean_environment(
            {
                "MADANG_SPOOL_DIR": str(directory / "spool"),
                "MADANG_SECRET_KEY": _SECRET_KEY,
                **dependencies.environment,
                **(environment or {}),
            }
        )
        self.api = self._process("api", self.api_port)
        self.live = self._process("live", self.live_port)
        self.ship = self._process("ship", self.ship_port)
        self.record = self._process("record", self.record_port)
        self._web_root = web_root
        self._web: Process | None = None
        self._ends = ExitStack()

    @property
    def web(self) -> Process:
        """nginx."""
        if self._web is None:
            raise ServiceError("the stack was never started")
        return self._web

    @property
    def processes(self) -> dict[str, Process]:
        """All, by name, in the order in which they end."""
        return {
            "web": self.web,
            "api": self.api,
            "live": self.live,
            "ship": self.ship,
            "record": self.record,
        }

    def start(self) -> None:
        """Migrate, make the topic, start everything and wait until it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(2) as side_by_side:
            list(side_by_side.map(self.run, ("migrate", "topics")))
        own = (self.api, self.live, self.ship, self.record)
        self._ends.callback(_stop_together, self.ship, self.record)
        self._ends.callback(_stop_together, self.api, self.live)
        for process in own:
            process.spawn()
        for process in own:
            process.wait_ready()
        self._web = self._ends.enter_context(
            nginx(
                self.directory / "nginx",
                api_port=self.api_port,
                live_port=self.live_port,
                port=self.port,
                web_root=self._web_root,
            )
        ).process
        self.wait_ready()

    def wait_ready(self, seconds: float = _START_SECONDS) -> None:
        """Wait until the API says through nginx that it has all it needs.

        Raises:
            ServiceError: it does not within the time.
        """
        wait_until(
            lambda: http_status(self.port, "/api/health/ready") == http.HTTPStatus.OK,
            seconds,
            f"{self.url}/api/health/ready",
        )

    @contextmanager
    def running(self, *, orderly: bool = True) -> Iterator["Stack"]:
        """Run until the end of the block, then `stop`, or `kill` what is thrown away."""
        try:
            self.start()
            yield self
        finally:
            if orderly:
                self.stop()
            else:
                self.kill()

    def stop(self) -> None:
        """End nginx, then api and live, then ship and record, each in order: some seconds."""
        self._ends.close()

    def kill(self) -> None:
        """End everything on the spot."""
        for process in (self.api, self.live, self.ship, self.record):
            process.stop(0)
        self._ends.close()

    def run(self, *arguments: str) -> str:
        """Run a one-shot, such as `user add`, and return what it printed.

        Raises:
            ServiceError: it failed; the message ends with its output.
        """
        done = subprocess.run(
            [madang_command(), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            words = " ".join(arguments[:2])
            raise ServiceError(f"madang {words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def another(self, name: str, number: int = 2) -> Process:
        """One more `ship` or `record` beside the stack's own; started and stopped by the caller."""
        process = self._process(name, free_port(), log=f"{name}-{number}.log")
        process.name = f"{process.name} {number}"
        return process

    def _process(self, name: str, port: int, *, log: str = "") -> Process:
        probe = _PROBES.get(name, "health/live")
        return Process(
            f"madang {name}",
            [madang_command(), name, "--port", str(port)],
            log=self.directory / (log or f"{name}.log"),
            environment=self.environment,
            ready=lambda: http_status(port, f"/api/{probe}") is not None,
            ready_seconds=_START_SECONDS,
        )


_PROBES = {"live": "live"}


class Embedded:
    """`madang serve` with its data directory."""

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the process; nothing runs yet."""
        directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = directory / "data"
        self.process = Process(
            "madang serve",
            [madang_command(), "serve", "--port", str(self.port), "--data", self.data],
            log=directory / "serve.log",
            environment=clean_environment(environment or {}),
            ready=lambda: http_status(self.port, "/api/health/live") is not None,
            ready_seconds=_START_SECONDS,
        )

    @contextmanager
    def running(self) -> Iterator["Embedded"]:
        """Run until the end of the block."""
        try:
            self.process.start()
            yield self
        finally:
            self.process.stop(_STOP_SECONDS)


def _stop_together(*processes: Process) -> None:
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.stop_within(_STOP_SECONDS)


def madang_command() -> str:
    """The `madang` beside this Python.

    Raises:
        ServiceMissingError: it is not installed.
    """
    command = Path(sys.executable).parent / "madang"
    if not command.exists():
        raise ServiceMissingError("madang")
    return str(command)


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Our own environment with these settings and no others of Madang or OpenTelemetry."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MADANG_", "OTEL_"))
    }
    return {**kept, **settings}


def http_status(port: int, path: str) -> int | None:
    """The status that GET answers with, or None when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
