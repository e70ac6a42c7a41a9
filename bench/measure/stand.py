"""The services a bench needs, and Madang on them with its call log and telemetry on or off."""

import json
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import uuid4

from measure import BENCH
from measure.history import History
from tests.services.kafka import Kafka, kafka
from tests.services.mariadb import MariaDB, mariadb
from tests.services.ports import answers, free_port
from tests.services.process import Process
from tests.services.redis import Redis, redis
from tests.services.stack import Dependencies, Stack, clean_environment

BUFFER_POOL = LOG_FILE = "256M"
_STOP_SECONDS = 15


class Mode(StrEnum):
    """Whether Madang records its calls and sends telemetry."""

    on = "on"
    off = "off"


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs before and after Madang; the same for all modes."""

    directory: Path
    database: str
    dependencies: Dependencies
    mariadb: MariaDB
    redis: Redis
    kafka: Kafka


@dataclass(frozen=True, slots=True)
class Running:
    """Madang at work: its ports, its processes by name, and history where it records."""

    api_port: int
    web_port: int | None
    roles: Mapping[str, Process]
    history: History | None


@contextmanager
def services(directory: Path) -> Iterator[Stand]:
    """A durable MariaDB, Redis and a Kafka of one node, with an empty database."""
    name = "bench"
    with (
        mariadb(
            directory / "mariadb", durable=True, buffer_pool=BUFFER_POOL, log_file=LOG_FILE
        ) as database_server,
        redis(directory / "redis") as redis_server,
        kafka(directory / "kafka") as cluster,
        database_server.database(name) as url,
    ):
        dependencies = Dependencies(url, redis_server.url(), cluster.bootstrap)
        yield Stand(directory, name, dependencies, database_server, redis_server, cluster)


@contextmanager
def madang(stand: Stand, mode: Mode) -> Iterator[Running]:
    """Madang in this mode, from its start to its orderly end."""
    directory = stand.directory / f"madang-{mode}-{uuid4().hex[:8]}"
    with _all(stand, directory) if mode is Mode.on else _only_api(stand, directory) as running:
        yield running


@contextmanager
def _all(stand: Stand, directory: Path) -> Iterator[Running]:
    """Every process, sending telemetry, at the sampling they choose by themselves."""
    with otlp_receiver(directory) as (receiver, endpoint):
        stack = Stack(
            directory,
            stand.dependencies,
            environment={"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
            web_root=_page(directory),
        )
        try:
            stack.start()
            history = History(
                stand.mariadb,
                stand.database,
                stand.kafka,
                stand.dependencies.topic,
                directory / "spool",
            )
            roles = {**stack.processes, "otlp": receiver, **_servers(stand)}
            yield Running(stack.api_port, stack.port, roles, history)
        finally:
            stack.stop()


@contextmanager
def _only_api(stand: Stand, directory: Path) -> Iterator[Running]:
    """The API alone, on a database that is migrated already."""
    directory.mkdir(parents=True)
    off = {"MADANG_CALL_LOG": "false", "OTEL_SDK_DISABLED": "true"}
    stack = Stack(directory, stand.dependencies, environment=off)
    try:
        stack.api.start()
        yield Running(stack.api_port, None, {"api": stack.api, **_servers(stand)}, None)
    finally:
        stack.api.stop(_STOP_SECONDS)


def account() -> bytes:
    """What an account of its own is registered with."""
    name = f"bench-{uuid4().hex[:8]}"
    return json.dumps({"username": name, "password": uuid4().hex}).encode()


def register(port: int) -> str:
    """Make an account and give its session cookie, `name=value`; one call of the API."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/users", account(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["Set-Cookie"]).partition(";")[0]


def _servers(stand: Stand) -> dict[str, Process]:
    owned = {"mariadb": stand.mariadb.process, "redis": stand.redis.process}
    nodes = {"kafka": stand.kafka.nodes[0].process}
    return {name: process for name, process in owned.items() if process is not None} | nodes


@contextmanager
def otlp_receiver(directory: Path) -> Iterator[tuple[Process, str]]:
    """A receiver of telemetry in a process of its own, and where to send to."""
    directory.mkdir(parents=True)
    port = free_port()
    process = Process(
        "OTLP receiver",
        [sys.executable, "-m", "measure.receiver", str(port)],
        log=directory / "otlp.log",
        environment=clean_environment({}),
        directory=BENCH,
        ready=lambda: answers(port),
    )
    try:
        process.start()
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def _page(directory: Path) -> Path:
    """A web root: no page is asked for, and so none needs to be built."""
    root = directory / "page"
    root.mkdir()
    (root / "index.html").write_text("<!doctype html>\n")
    return root
