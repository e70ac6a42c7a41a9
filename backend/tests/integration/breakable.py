"""A system whose services a test may stop, and what it says of itself meanwhile."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB, mariadb
from tests.services.otlp import OtlpReceiver, otlp_receiver
from tests.services.redis import Redis, redis
from tests.services.stack import Dependencies, Stack

PASSWORD = "correct horse battery"
ADMIN = {"username": "only-an-example-admin", "password": PASSWORD}


@dataclass(frozen=True)
class World:
    """A system whose database, brokers and Redis a test may stop, and its administrator."""

    stack: Stack
    mariadb: MariaDB
    kafka: Kafka
    redis: Redis
    otlp: OtlpReceiver
    admin: httpx.Client

    def system(self) -> dict[str, Any]:
        """What the API says."""
        return self._state(self.admin.get("/api/admin/system"))

    def _state(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, self.stack.api.log_tail()
        found: dict[str, Any] = answer.json()
        return found

    def ready(self, name: str) -> tuple[int, dict[str, Any]]:
        """What the probe of a process says."""
        answer = httpx.get(f"http://127.0.0.1:{self.ports[name]}/api/health/ready", timeout=10)
        return answer.status_code, answer.json()

    @property
    def ports(self) -> dict[str, int]:
        """Where the processes have their probes."""
        stack = self.stack
        return {
            "api": stack.api_port,
            "live": stack.live_port,
            "ship": stack.ship_port,
            "record": stack.record_port,
        }

    def figures(self, name: str) -> dict[str, Any]:
        """The figures in that answer."""
        found: dict[str, Any] = self.ready(name)[1]["figures"]
        return found

    def process(self, name: str) -> dict[str, Any]:
        """A process as the API lists it; nothing where it does not."""
        listed = [
            item for item in self.system()["processes"] if item["service_name"] == f"madang-{name}"
        ]
        return listed[0] if listed else {}

    def make_calls(self, number: int = 20) -> None:
        """Answered calls, which go the whole way."""
        for _ in range(number):
            assert self.admin.get("/api/session").status_code == 200

    def metric(self, service: str, name: str) -> float | None:
        """The newest value of a gauge that a process has exported."""
        points = [
            point.as_double or point.as_int
            for sent in list(self.otlp.metrics)
            if (sent.service, sent.metric.name) == (service, name)
            for point in sent.metric.gauge.data_points
        ]
        return points[-1] if points else None

    def is_calm(self) -> bool:
        """Whether everything reports, answers, and has caught up."""
        answer = self.admin.get("/api/admin/system")
        if answer.status_code == 503:
            return False  # this worker has not yet seen that the database is back
        state = self._state(answer)
        return (
            not state["missing"]
            and all(found["status"] == "ok" for found in state["dependencies"].values())
            and state["history"]["lag_messages"] is not None
            and state["history"]["lag_messages"] < 5
            and state["spool"]["unsent_bytes"] < 5_000
        )


@contextmanager
def running_world(directory: Path) -> Iterator[World]:
    """One with services of its own, inside the block."""
    with ExitStack() as ends:
        database = ends.enter_context(mariadb(directory / "mariadb"))
        url = ends.enter_context(database.database("system"))
        cache = ends.enter_context(redis(directory / "redis"))
        brokers = ends.enter_context(kafka(directory / "kafka"))
        otlp = ends.enter_context(otlp_receiver())
        stack = Stack(
            directory / "stack",
            Dependencies(url, cache.url(), brokers.bootstrap),
            environment=otlp.environment | {"OTEL_TRACES_SAMPLER": "always_off"},
        )
        ends.enter_context(stack.running(orderly=False))
        stack.run("user", "add", ADMIN["username"], "--role", "admin", "--password", PASSWORD)
        admin = ends.enter_context(httpx.Client(base_url=stack.url, timeout=10))
        assert admin.post("/api/session", json=ADMIN).status_code == 200
        yield World(stack, database, brokers, cache, otlp, admin)
