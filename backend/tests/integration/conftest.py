"""A migrated database on real MariaDB, empty for each test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from madang.db.engine import Database
from madang.db.migrate import upgrade

_BOARD_TABLES = ("messages", "sessions", "revocations", "users")


@pytest.fixture(scope="module")
def migrated_url(database_url: str) -> str:
    """A database of the module, migrated."""
    database = Database(database_url)
    upgrade(database)
    database.close()
    return database_url


@pytest.fixture
def board_database(migrated_url: str) -> Iterator[Database]:
    """The module's database without users and messages."""
    database = Database(migrated_url)
    with database.write() as connection:
        for table in _BOARD_TABLES:
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("UPDATE message_counts SET total = 0"))
    yield database
    database.close()
