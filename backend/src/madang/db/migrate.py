"""Bringing a database to the schema of this program, and telling whether it has one that fits."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, SmallInteger, String, inspect, select, text
from sqlalchemy.orm import Mapped, mapped_column

from madang import __version__
from madang.db.base import Base
from madang.db.engine import Database, connection_edge, migration_engine
from madang.errors import DatabaseUnavailableError, SchemaError

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK_SECONDS = 50


class SchemaCompatibility(Base):
    """One row: the oldest version of the program that can use the schema."""

    __tablename__ = "schema_compatibility"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    minimum_version: Mapped[str] = mapped_column(String(32))


_LOCK = "CONCAT('madang-', SHA1(DATABASE()))"


class Outcome(StrEnum):
    """What `upgrade` found and did."""

    migrated = "migrated"
    current = "current"
    newer = "newer"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What `upgrade` found and did; revisions are None where there was no schema."""

    outcome: Outcome
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """One line for people."""
        if self.outcome is Outcome.migrated:
            return f"Migrated the database from {self.before or 'nothing'} to {self.after}"
        if self.outcome is Outcome.current:
            return f"The database is at {self.after} already"
        return (
            f"The database is at {self.after}, newer than this program ({__version__}): "
            "nothing to do"
        )


def upgrade(database: Database) -> Upgrade:
    """Run the migrations that are missing, one program at a time; safe to run again after a crash.

    A schema from a newer program is left as it is.

    Raises:
        DatabaseUnavailableError: the database does not answer, or another migration runs on and on.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    script = _script()
    engine = migration_engine(database)
    try:
        with connection_edge(), _alone(engine) as connection:
            before = _revision(connection)
            if before is not None and not _is_known(script, before):
                return Upgrade(Outcome.newer, before, before)
            if before == script.get_current_head():
                return Upgrade(Outcome.current, before, before)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return Upgrade(Outcome.migrated, before, _revision(connection))
    finally:
        engine.dispose()


def check(database: Database, version: str = __version__) -> None:
    """Make sure that this program can use the schema.

    Raises:
        SchemaError: the database is not migrated, or its schema needs a newer program.
        DatabaseUnavailableError: the database does not answer.
    """
    script = _script()
    with database.read() as connection:
        revision = _revision(connection)
        minimum = None if revision is None else _minimum_version(connection)
    if revision is None or minimum is None:
        raise SchemaError("The database is not migrated yet: run `madang migrate`")
    if _numbers(version) < _numbers(minimum):
        raise SchemaError(
            f"The database needs madang {minimum} or newer, and this is {version}: "
            "start a newer version"
        )
    if _is_known(script, revision) and revision != script.get_current_head():
        raise SchemaError(
            f"The database is at {revision} and needs {script.get_current_head()}: "
            "run `madang migrate`"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _is_known(script: ScriptDirectory, revision: str) -> bool:
    return any(known.revision == revision for known in script.walk_revisions())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _minimum_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(SchemaCompatibility.__tablename__):
        return None
    return connection.execute(select(SchemaCompatibility.minimum_version)).scalar_one_or_none()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A connection on which no other program migrates the same database.

    On SQLite one immediate transaction holds everything; on MariaDB, whose DDL commits by itself,
    a lock by name that a dead connection loses.
    """
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            with connection.begin():
                yield connection
            return
        given = connection.execute(text(f"SELECT GET_LOCK({_LOCK}, {LOCK_SECONDS})")).scalar()
        connection.rollback()
        if given != 1:
            raise DatabaseUnavailableError("Another migration of this database is running")
        try:
            # Who gets the lock next has to see the new revision.
            with connection.begin():
                yield connection
        finally:
            connection.execute(text(f"DO RELEASE_LOCK({_LOCK})"))
