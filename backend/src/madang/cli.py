"""The `madang` command: one sub-command a process, and the one-shots."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import click

from madang import __version__
from madang.errors import ConfigurationError, MadangError

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_FAULT = 1
EXIT_SETTING = 2
ENVIRONMENT = """Settings come from the environment: MADANG_DATABASE_URL, MADANG_REDIS_URL,
MADANG_KAFKA_BOOTSTRAP, MADANG_KAFKA_SECURITY_PROTOCOL, MADANG_KAFKA_SASL_*, MADANG_KAFKA_TOPIC,
MADANG_SPOOL_DIR, MADANG_SECRET_KEY, MADANG_PUBLIC_URL, and OTEL_* as OpenTelemetry names them."""


class _Group(click.Group):
    """Prints an expected error as one line: exit code 2 for a setting, 1 for everything else.

    `user` and its libraries are loaded only when they are asked for.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "user"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "user":
            from madang.cli_users import user

            return user
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MadangError as error:
            click.echo(f"madang: {error.detail}{_words_of_driver(error)}", err=True)
            sys.exit(EXIT_SETTING if isinstance(error, ConfigurationError) else EXIT_FAULT)


def _words_of_driver(error: MadangError) -> str:
    """What the database's driver said, as `: (2003, "Can't connect to ...")`; empty elsewhere."""
    said = getattr(error.__cause__, "orig", None)
    return "" if said is None else f": {said}"


@click.group(cls=_Group, epilog=ENVIRONMENT)
@click.version_option(__version__, prog_name="madang")
def main() -> None:
    """Madang: a message board that shows its work."""


def _listens(default_port: int) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        command = click.option(
            "--port", type=click.IntRange(1, 65535), default=default_port, show_default=True
        )(command)
        return click.option("--host", default="127.0.0.1", show_default=True)(command)

    return decorate


@main.command()
@_listens(8080)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=Path("madang-data"),
    show_default=True,
    help="Directory for the database and the spool.",
)
def serve(host: str, port: int, data: Path) -> None:
    """Run everything in one process, with SQLite and without a broker."""
    from madang.embedded import serve as run

    run(host, port, data)


@main.command()
@_listens(5000)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True)
def api(host: str, port: int, workers: int, threads: int) -> None:
    """Run the HTTP API."""
    from madang.bootstrap import api as run

    run(host, port, workers, threads)


@main.command()
@_listens(5001)
def live(host: str, port: int) -> None:
    """Run the event stream to browsers."""
    from madang.bootstrap import live as run

    run(host, port)


@main.command()
@_listens(5002)
def ship(host: str, port: int) -> None:
    """Send the spooled calls to Kafka and to Redis."""
    from madang.shipping import ship as run

    run(host, port)


@main.command()
@_listens(5003)
def record(host: str, port: int) -> None:
    """Write the calls that came through Kafka into history and statistics."""
    from madang.recording import record as run

    run(host, port)


@main.command()
@click.option("--check", is_flag=True, help="Only say whether the schema fits; exit 1 if not.")
def migrate(*, check: bool) -> None:
    """Bring the database's schema up to this version."""
    from madang.db import migrate as schema
    from madang.db.engine import Database
    from madang.settings import Settings

    with closing(Database(Settings.load().require_database_url(), pool_size=1)) as database:
        if check:
            schema.check(database)
        click.echo("The schema fits this version" if check else schema.upgrade(database))


@main.command()
def topics() -> None:
    """Make the Kafka topic where it is missing."""
    from madang.calls.kafka import create_topic
    from madang.settings import Settings

    click.echo(create_topic(Settings.load()))


@main.command()
@click.argument("url")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=5, show_default=True, help="In seconds."
)
def health(url: str, timeout: float) -> None:
    """Ask a health address, as http://127.0.0.1:5000/api/health/ready; exit 1 if it is not well."""
    from madang.cli_health import ask

    click.echo(ask(url, timeout))


@main.command()
def openapi() -> None:
    """Print the API's description as OpenAPI 3.1."""
    from madang.bootstrap import openapi_document

    click.echo(openapi_document())


@main.command()
@click.option("--keep", required=True, metavar="AGE", help="As 30d or 12h.")
def prune(keep: str) -> None:
    """Remove calls, statistics and rejected events that are older, and sessions that are over."""
    from madang.cli_calls import prune as run

    run(keep)


@main.command()
@click.option("--from", "begin", metavar="TIME", help="RFC 3339; the first call when left out.")
@click.option("--to", "end", metavar="TIME", help="RFC 3339; now when left out.")
@click.option("--check", is_flag=True, help="Only compare with history; exit 1 if they differ.")
def recount(begin: str | None, end: str | None, *, check: bool) -> None:
    """Make the statistics of the hours in a period again from history."""
    from madang.cli_calls import recount as run

    run(begin, end, check_only=check)
