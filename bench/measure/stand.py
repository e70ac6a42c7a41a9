"""The services a bench needs, and Madang on them with its call log and telemetry or without."""

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
_DATABASE = "bench"


class Mode(StrEnum):
    """What Madang does besides answering."""

    on = "on"
    """It records its calls and sends telemetry."""

    log = "log"
    """It records its calls: against `off`, the price of the call log alone."""

    off = "off"
    """Neither."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What runs before and after Madang; the same for all modes."""

    directory: Path
    database: str
    dependencies: Dependencies
    mariadb: MariaDB
    redis: Redis
    kafka: Kafka
    mariadb_directory: Path


@dataclass(frozen=True, slots=True)
class Running:
    """Madang at work: its ports, its processes by name, and history where it records."""

    api_port: int
    web_port: int | None
    roles: Mapping[str, Process]
    history: History | None
    stack: Stack


@contextmanager
def services(
    directory: Path,
    *,
    buffer_pool: str = BUFFER_POOL,
    log_file: str = LOG_FILE,
    keep: Path | None = None,
) -> Iterator[Stand]:
    """A durable MariaDB, Redis and a Kafka of one node.

    Args:
        directory: for all that is thrown away afterwards.
        buffer_pool: as `innodb_buffer_pool_size` takes it.
        log_file: as `innodb_log_file_size` takes it.
        keep: where the database stands, with what it holds already; else it is new and goes.
    """
    data = (keep or directory) / "mariadb"
    with (
        mariadb(
            data,
            durable=True,
            buffer_pool=buffer_pool,
            log_file=log_file,
        ) as database_server,
        redis(directory / "redis") as redis_server,
        kafka(directory / "kafka") as cluster,
    ):
        with database_server.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{_DATABASE}` CHARACTER SET utf8mb4")
        url = database_server.url(_DATABASE)
        dependencies = Dependencies(url, redis_server.url(), cluster.bootstrap)
        yield Stand(
            directory, _DATABASE, dependencies, database_server, redis_server, cluster, data
        )


def restart_cold(stand: Stand) -> None:
    """Start the database again with an empty buffer pool; its files are in no other cache."""
    with stand.mariadb.cursor() as cursor:
        cursor.execute("SET GLOBAL innodb_buffer_pool_dump_at_shutdown = OFF")
    stand.mariadb.stop()
    (stand.mariadb_directory / "data" / "ib_buffer_pool").unlink(missing_ok=True)
    stand.mariadb.start()


@contextmanager
def madang(stand: Stand, mode: Mode) -> Iterator[Running]:
    """Madang in this mode, from its start to its orderly end."""
    directory = stand.directory / f"madang-{mode}-{uuid4().hex[:8]}"
    if mode is Mode.off:
        with _only_api(stand, directory) as running:
            yield running
    elif mode is Mode.log:
        with _all(stand, directory, {"OTEL_SDK_DISABLED": "true"}, {}) as running:
            yield running
    else:
        with (
            otlp_receiver(directory) as (receiver, endpoint),
            _all(
                stand, directory, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, {"otlp": receiver}
            ) as running,
        ):
            yield running


@contextmanager
def _all(
    stand: Stand, directory: Path, environment: Mapping[str, str], others: Mapping[str, Process]
) -> Iterator[Running]:
    """Every process; those that export do so at the sampling they choose by themselves."""
    directory.mkdir(parents=True, exist_ok=True)
    stack = Stack(directory, stand.dependencies, environment=environment, web_root=_page(directory))
    try:
        stack.start()
        spool = directory / "spool"
        history = History(
            stand.mariadb, stand.database, stand.kafka, stand.dependencies.topic, spool
        )
        roles = {**stack.processes, **others, **servers(stand)}
        yield Running(stack.api_port, stack.port, roles, history, stack)
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
        yield Running(stack.api_port, None, {"api": stack.api, **servers(stand)}, None, stack)
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


def servers(stand: Stand) -> dict[str, Process]:
    """The processes of the services, by name."""
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
