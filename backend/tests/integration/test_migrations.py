"""Migrations on real MariaDB."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.engine import make_url

from madang.cli import main
from madang.db.engine import Database
from madang.db.migrate import Outcome, check, upgrade
from madang.errors import DatabaseUnavailableError, SchemaError
from tests.schema_drift import drift
from tests.services.mariadb import MariaDB
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def empty(fresh_database_url: str) -> Iterator[Database]:
    database = Database(fresh_database_url)
    yield database
    database.close()


def _tables(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(text("SHOW TABLES")).scalars())


def _definitions(database: Database) -> list[str]:
    with database.read() as connection:
        return [
            connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1]
            for name in _tables(database)
        ]


def _rows(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        counts = [
            int(connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one())
            for name in ("schema_compatibility", "message_counts")
        ]
    return counts[0], counts[1]


def test_upgrade_makes_what_the_models_say(empty: Database) -> None:
    with pytest.raises(SchemaError, match="madang migrate"):
        check(empty)
    assert upgrade(empty).outcome is Outcome.migrated
    check(empty)
    with empty.read() as connection:
        assert drift(connection) == []
        full_text = connection.execute(text("SHOW INDEX FROM messages WHERE Index_type='FULLTEXT'"))
        assert [row.Key_name for row in full_text] == ["ft_messages_terms"]
        collations = connection.execute(
            text(
                "SELECT DISTINCT table_collation FROM information_schema.tables "
                "WHERE table_schema = DATABASE() AND table_name <> 'alembic_version'"
            )
        )
        assert list(collations.scalars()) == ["utf8mb4_bin"]


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


def test_upgrade_holds_its_lock_until_what_it_did_is_committed(empty: Database) -> None:
    """Else the next one begins with what was before, and does it once more."""
    held: list[bool] = []
    with empty.reads.connect() as other:
        holder = text("SELECT IS_USED_LOCK(CONCAT('madang-', SHA1(:name)))")

        def commits(connection: Connection) -> None:
            if connection.engine is not empty.reads:
                found = other.execute(holder, {"name": empty.url.database}).scalar()
                held.append(found is not None)

        event.listen(Engine, "commit", commits)
        try:
            upgrade(empty)
        finally:
            event.remove(Engine, "commit", commits)
    assert held
    assert all(held)


def test_upgrade_waits_for_the_lock_of_its_database_only(
    empty: Database, mariadb_server: MariaDB
) -> None:
    name = empty.url.database
    with empty.reads.connect() as other:
        lock = {"name": name}
        taken = text("SELECT GET_LOCK(CONCAT('madang-', SHA1(:name)), 0)")
        assert other.execute(taken, lock).scalar() == 1
        thread = threading.Thread(target=upgrade, args=(empty,))
        thread.start()
        waiting = text(
            "SELECT COUNT(*) FROM information_schema.processlist "
            "WHERE db = :name AND state = 'User lock'"
        )
        wait_until(lambda: other.execute(waiting, lock).scalar() == 1, 10, "the second migration")
        with mariadb_server.database("madang_lock_elsewhere") as url:
            elsewhere = Database(url)
            assert upgrade(elsewhere).outcome is Outcome.migrated
            elsewhere.close()
        assert _tables(empty) == []
        other.execute(text("SELECT RELEASE_LOCK(CONCAT('madang-', SHA1(:name)))"), lock)
        thread.join(timeout=20)
    check(empty)


class CrashError(Exception):
    """Stands for the end of the process."""


@contextmanager
def _crash_before_new_statements(seen: set[str]) -> Iterator[None]:
    """Crash before the first changing statement not in `seen`, and add it there."""

    def crash(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        changes = statement.lstrip().startswith(("CREATE", "INSERT", "UPDATE", "ALTER"))
        if changes and statement not in seen:
            seen.add(statement)
            raise CrashError

    event.listen(Engine, "before_cursor_execute", crash)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", crash)


def _crashes(database: Database, seen: set[str]) -> bool:
    try:
        with _crash_before_new_statements(seen):
            upgrade(database)
    except CrashError:
        return True
    return False


def test_upgrade_runs_again_after_a_crash_between_any_two_statements(
    empty: Database, mariadb_server: MariaDB
) -> None:
    """Each run gets one statement further than the one before."""
    with mariadb_server.database("madang_whole") as url:
        whole = Database(url)
        upgrade(whole)
        expected = _definitions(whole)
        whole.close()
    seen: set[str] = set()
    while _crashes(empty, seen):
        pass
    assert len(seen) > 20
    check(empty)
    assert _definitions(empty) == expected
    assert _rows(empty) == (1, 16)


def test_upgrade_of_a_server_that_is_away(mariadb_server: MariaDB) -> None:
    url = make_url(mariadb_server.url("nothing")).set(port=1).render_as_string(hide_password=False)
    database = Database(url)
    with pytest.raises(DatabaseUnavailableError):
        upgrade(database)
    with pytest.raises(DatabaseUnavailableError):
        check(database)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"database": "no_such_database"}, "no database of the name in MADANG_DATABASE_URL: (1049"),
        ({"password": "another"}, "user or the password of MADANG_DATABASE_URL: (1045"),
        ({"port": 1}, "not available: (2003"),
    ],
    ids=["database", "password", "port"],
)
def test_database_that_does_not_let_us_in_is_one_line_and_may_be_waited_for(
    wrong: Mapping[str, Any], words: str, fresh_database_url: str
) -> None:
    url = make_url(fresh_database_url).set(**wrong).render_as_string(hide_password=False)

    done = CliRunner(env={"MADANG_DATABASE_URL": url}).invoke(main, ["migrate", "--check"])

    assert done.exit_code == 1
    (line,) = done.output.strip().splitlines()
    assert words in line
