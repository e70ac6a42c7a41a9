"""Connections and units of work, on SQLite."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from madang.db.engine import Database, parse_url
from madang.errors import ConfigurationError, DatabaseUnavailableError


@pytest.fixture
def numbers(database: Database) -> Database:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    return database


def _count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT COUNT(*) FROM numbers")).scalar_one())


def test_unit_of_work_commits_at_its_end(numbers: Database) -> None:
    with numbers.write() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
    assert _count(numbers) == 1


def test_unit_of_work_that_raises_stores_nothing(numbers: Database) -> None:
    def fail_after_adding() -> None:
        with numbers.write() as connection:
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_adding()
    assert _count(numbers) == 0
    with numbers.write() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
    assert _count(numbers) == 1


def test_unit_of_work_is_durable_as_promised(database: Database) -> None:
    with database.writes.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_units_of_work_come_one_after_another(numbers: Database) -> None:
    def add_highest() -> None:
        for _ in range(10):
            with numbers.write() as connection:
                connection.execute(
                    text("INSERT INTO numbers SELECT COALESCE(MAX(n), 0) + 1 FROM numbers")
                )

    threads = [threading.Thread(target=add_highest) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _count(numbers) == 80


def test_question_sees_what_was_committed_since(numbers: Database) -> None:
    assert _count(numbers) == 0
    with numbers.write() as connection:
        connection.execute(text("INSERT INTO numbers VALUES (1)"))
        assert _count(numbers) == 0
    assert _count(numbers) == 1


def test_database_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/board.db")
    with pytest.raises(DatabaseUnavailableError):
        database.ping()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "postgresql://a:b@localhost/c", "mariadb://a:b@localhost:port/c"]
)
def test_address_that_is_none_of_ours_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="MADANG_DATABASE_URL"):
        parse_url(url)


@pytest.mark.parametrize("url", ["mariadb://u:p@host/d", "mysql://u:p@host/d"])
def test_address_of_mariadb_names_the_driver_and_charset(url: str) -> None:
    parsed = parse_url(url)
    assert parsed.drivername == "mariadb+pymysql"
    assert parsed.query["charset"] == "utf8mb4"
