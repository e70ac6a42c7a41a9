"""`make up`."""

import fcntl
import json
import os
import secrets
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Never

import click

from tests.services.errors import ServiceError
from tests.services.kafka import kafka
from tests.services.mariadb import mariadb
from tests.services.ports import is_free
from tests.services.process import Process
from tests.services.redis import redis
from tests.services.stack import Dependencies, Stack

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASE = "madang"


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=REPOSITORY / ".run",
    help="Directory for data, secrets and logs, kept between starts.  [default: .run]",
)
def main(port: int, data: Path) -> None:
    """Run the whole system on this machine until Ctrl+C, from locally installed programs.

    Each part starts when what it needs is ready; all of them stop in the reverse order.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        with ExitStack() as ends:
            _watch(_start(ends, data.resolve(), port))
    except KeyboardInterrupt:
        _say("Stopped")
    except ServiceError as error:
        raise click.ClickException(str(error)) from None


def _start(ends: ExitStack, data: Path, port: int) -> list[Process]:
    """Returns the processes that must go on running."""
    data.mkdir(parents=True, exist_ok=True)
    ends.enter_context(_alone(data))
    if not is_free(port):
        raise ServiceError(f"port {port} is in use; choose one with ARGS='--port 9000'")
    keys = _secrets(data / "secrets.json")
    _say("Starting MariaDB, Redis and Kafka")
    database = ends.enter_context(
        mariadb(
            data / "mariadb",
            password=keys["database"],
            durable=True,
            buffer_pool="256M",
            log_file="96M",
        )
    )
    cache = ends.enter_context(redis(data / "redis"))
    broker = ends.enter_context(kafka(data / "kafka"))
    with database.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4")
    _say("Starting api, live, ship, record and nginx")
    stack = Stack(
        data / "madang",
        Dependencies(database.url(DATABASE), cache.url(), broker.bootstrap),
        port=port,
        environment={"MADANG_SECRET_KEY": keys["secret_key"], **_telemetry()},
    )
    ends.callback(stack.stop)
    ends.callback(_say, "Stopping")
    stack.start()
    _write_environment(data / "environment", stack)
    _say(f"Madang is at {stack.url}/  (Ctrl+C stops it)")
    _say(
        "Probes: "
        + ", ".join(
            f"{name} http://127.0.0.1:{port}/api/health/ready"
            for name, port in (("ship", stack.ship_port), ("record", stack.record_port))
        )
    )
    _say(f"Logs: {data}/madang/*.log. Settings for the madang command: . {data}/environment")
    services = [database.process, cache.process, *(node.process for node in broker.nodes)]
    return [*stack.processes.values(), *(process for process in services if process)]


def _watch(processes: list[Process]) -> Never:
    """Raises a ServiceError when one of them ends."""
    while True:
        for process in processes:
            if not process.running:
                raise ServiceError(
                    f"{process.name} ended with {process.exit_code}\n{process.log_tail()}"
                )
        time.sleep(0.5)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(f"another `make up` runs in {data}") from None
        yield


def _secrets(path: Path) -> dict[str, str]:
    """Made at the first start."""
    if not path.exists():
        made = {"database": secrets.token_urlsafe(24), "secret_key": secrets.token_urlsafe(48)}
        path.touch(mode=0o600)
        path.write_text(json.dumps(made))
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _telemetry() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}


def _write_environment(path: Path, stack: Stack) -> None:
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"export {name}={shlex.quote(value)}\n"
            for name, value in sorted(stack.environment.items())
            if name.startswith("MADANG_")
        )
    )


def _say(text: str) -> None:
    click.echo(f"==> {text}")


if __name__ == "__main__":
    main(prog_name="make up")
