"""Connections to a real MariaDB that break while nobody uses them."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from madang.db import engine
from madang.db.engine import Database
from madang.errors import DatabaseUnavailableError
from tests.services.mariadb import MariaDB

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


def test_idle_connection_to_a_server_that_hangs_is_told_as_a_hang(
    database: Database, mariadb_server: MariaDB
) -> None:
    assert mariadb_server.process is not None
    connections(database)
    mariadb_server.process.pause()
    try:
        with pytest.raises(DatabaseUnavailableError):
            database.ping()
        with pytest.raises(DatabaseUnavailableError, match="does not answer in time"):
            database.ping()
    finally:
        mariadb_server.process.resume()
