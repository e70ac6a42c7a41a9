"""Migrations on SQLite."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from madang.db.engine import Database
from madang.db.migrate import MIGRATIONS, Outcome, check, upgrade
from madang.errors import SchemaError
from tests.schema_drift import drift


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path}/empty.db")


def _set_minimum(database: Database, version: str) -> None:
    with database.write() as connection:
        connection.execute(
            text("UPDATE schema_compatibility SET minimum_version = :version"),
            {"version": version},
        )


def _set_revision(database: Database, revision: str) -> None:
    with database.write() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )


def test_upgrade_makes_the_schema_quickly_and_once(empty: Database) -> None:
    began = time.process_time()
    first = upgrade(empty)
    assert time.process_time() - began < 0.5
    assert (first.outcome, first.before) == (Outcome.migrated, None)
    check(empty)
    again = upgrade(empty)
    assert (again.outcome, again.after) == (Outcome.current, first.after)
    empty.close()


def test_upgrade_leaves_nothing_that_the_models_do_not_say(database: Database) -> None:
    with database.read() as connection:
        assert drift(connection) == []


def test_upgrade_by_four_at_once_happens_once(empty: Database) -> None:
    outcomes: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(upgrade(empty).outcome)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Outcome.current] * 3 + [Outcome.migrated]
    empty.close()


def test_upgrade_of_a_newer_schema_says_so_and_changes_nothing(database: Database) -> None:
    _set_revision(database, "9999")
    done = upgrade(database)
    assert done.outcome is Outcome.newer
    assert "newer than this program" in str(done)
    check(database)


def test_upgrade_that_fails_leaves_nothing(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(text("CREATE VIEW messages AS SELECT 1 AS id"))
    with pytest.raises(Exception, match="messages"):
        upgrade(empty)
    with pytest.raises(SchemaError, match="not migrated"):
        check(empty)
    with empty.read() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        assert list(tables) == []
    empty.close()


def test_check_before_any_migration(empty: Database) -> None:
    with pytest.raises(SchemaError, match="madang migrate"):
        check(empty)
    empty.close()


def test_check_of_an_older_schema_asks_for_migrate(database: Database) -> None:
    _set_revision(database, "0001")
    with pytest.raises(SchemaError, match=r"0001.*madang migrate"):
        check(database)


@pytest.mark.parametrize(
    ("minimum", "version", "fits"),
    [
        ("0.1.0", "0.1.0", True),
        ("0.2.0", "0.10.0", True),
        ("0.10.0", "0.2.0", False),
        ("1.0.0", "0.9.9", False),
        ("1.0.0", "1.0.0.dev3", True),
    ],
)
def test_check_compares_versions_by_number(
    database: Database, minimum: str, version: str, fits: bool
) -> None:
    _set_revision(database, "9999")
    _set_minimum(database, minimum)
    if fits:
        check(database, version)
    else:
        with pytest.raises(SchemaError, match=f"needs madang {minimum}"):
            check(database, version)


def test_migrations_are_one_line_of_history() -> None:
    names = sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("*.py"))
    assert names == [f"{number:04}" for number in range(1, len(names) + 1)]
