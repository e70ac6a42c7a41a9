"""Connections to a real MariaDB that break while nobody uses them."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from madang.db import engine
from madang.db.engine import Database
from madang.errors import DatabaseUnavailableError
from tests.services.mariadb import MariaDB, mariadb

pytestmark = pytest.mark.integration
ANSWER_SECONDS = 1


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """One whose connections count as idle at once."""
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0.0)
    made = Database(database_url, pool_size=1, answer_seconds=ANSWER_SECONDS)
    yield made
    made.close()


def connections(database: Database) -> list[int]:
    """The server's numbers of the connection for questions and of that for units of work."""
    numbers = []
    for unit in (database.read, database.write):
        with unit() as connection:
            numbers.append(int(connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()))
    return numbers


def test_connection_that_was_closed_while_idle_is_replaced(
    database: Database, mariadb_server: MariaDB
) -> None:
    before = connections(database)
    assert connections(database) == before
    with mariadb_server.cursor() as cursor:
        for number in before:
            cursor.execute(f"KILL {number}")

    after = connections(database)

    assert not set(after) & set(before)


def test_connection_that_was_idle_for_long_is_replaced_unasked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = connections(database)
    monkeypatch.setattr(engine, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(database.reads.dialect, "do_ping", pytest.fail)

    assert not set(connections(database)) & set(before)


def test_idle_connection_to_a_server_that_hangs_is_told_as_a_hang_and_not_replaced(
    services_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0.0)
    connect, attempts = socket.create_connection, []

    def note_attempt(*given: Any, **named: Any) -> socket.socket:
        attempts.append(given)
        return connect(*given, **named)

    with mariadb(services_directory / "mariadb-that-hangs") as server:
        assert server.process is not None
        with server.cursor() as cursor:
            cursor.execute("CREATE DATABASE idle")
        database = Database(server.url("idle"), pool_size=1, answer_seconds=ANSWER_SECONDS)
        monkeypatch.setattr(socket, "create_connection", note_attempt)
        database.ping()
        server.process.pause()
        try:
            with pytest.raises(DatabaseUnavailableError):
                database.ping()
            with pytest.raises(DatabaseUnavailableError, match="does not answer in time"):
                database.ping()
        finally:
            server.process.resume()
        database.close()
    assert len(attempts) == 1
