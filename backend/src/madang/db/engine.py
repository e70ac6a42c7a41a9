"""Connections and units of work on MariaDB or SQLite."""

import math
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from madang.db.hanging import HangGuard, tells_timeout
from madang.db.tls import share_tls
from madang.errors import ConfigurationError, DatabaseUnavailableError

CONNECT_SECONDS = 5
ANSWER_SECONDS = 60
REQUEST_SECONDS = 10
"""The same in a process that answers requests: all its threads may wait that long, once.

Kubernetes takes a process for dead that does not answer for about 25 s.
"""
PROBE_SECONDS = 2
"""How long a question waits that only asks whether the database is well."""

IDLE_SECONDS = 0.1
"""A connection that was idle so long is asked first whether it still stands.

The server closes idle ones, and all when it is started again, which takes longer than this. Under
load connections are used more often and nobody asks.
"""

STALE_SECONDS = 60.0
"""One that was idle so long is replaced without asking.

A load balancer may have forgotten it without telling anyone, and then an answer is waited for in
vain.
"""

SQLITE_BUSY_SECONDS = 30
POOL_WAIT_SECONDS = 5

_UNAVAILABLE_MARIADB = frozenset({1040, 1053, 1205, 1213, 1927, 2002, 2003, 2006, 2013, 2055})
"""Too many connections, shutdown, lock wait, deadlock, killed, refused, gone, lost."""

_DENIED_MARIADB: dict[object, str] = {
    1044: "The database's user may not use it",
    1045: "The database refuses the user or the password of MADANG_DATABASE_URL",
    1049: "The server has no database of the name in MADANG_DATABASE_URL",
    1698: "The database refuses the user or the password of MADANG_DATABASE_URL",
}
"""Waiting may help: whoever makes databases and accounts may not have come to ours yet."""


class Database:
    """One database: `read()` for questions, `write()` for a unit of work.

    Reads run in autocommit mode on connections of their own, so that under load a question costs
    one round trip. A unit of work commits when its block ends and rolls back when it raises. Driver
    errors that mean "not available now" become DatabaseUnavailableError at this edge; a unit of
    work that meets one has stored nothing, unless the connection broke in the middle of its commit.
    """

    def __init__(
        self, url: str, *, pool_size: int = 8, answer_seconds: int = ANSWER_SECONDS
    ) -> None:
        """Nothing is connected yet.

        Args:
            url: as `parse_url` reads it.
            pool_size: how many connections for questions, and for units of work, there may be.
            answer_seconds: how long an answer of MariaDB is waited for. After that it counts as
                hanging, and only one caller at a time waits again to find out whether it is back.
        """
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._hang = HangGuard()
        # Writers queue here in turn: SQLite's own busy wait polls, and polling starves somebody.
        self._one_writer = threading.Lock() if self.is_sqlite else nullcontext()
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "hide_parameters": True,
            "max_overflow": 0,
            "pool_timeout": POOL_WAIT_SECONDS,
            # Units of work end themselves and questions open none: a reset would only ask twice.
            "pool_reset_on_return": None,
            "connect_args": _connect_args(self.is_sqlite, answer_seconds),
        }
        level = _isolation(self.is_sqlite)
        self.writes: Engine = create_engine(self.url, isolation_level=level, **options)
        self.reads: Engine = create_engine(
            self.url, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True, **options
        )
        if self.is_sqlite:
            event.listen(self.reads, "connect", _configure_sqlite)
            _prepare_sqlite_writes(self.writes)
        else:
            for engine in (self.reads, self.writes):
                _check_idle_connections(engine)
                share_tls(engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for questions.

        Raises:
            DatabaseUnavailableError: no connection could be had, or it broke.
        """
        with connection_edge(), self._hang.asking(), self.reads.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A unit of work: committed at the end of the block, rolled back when it raises.

        Raises:
            DatabaseUnavailableError: no connection could be had, it broke, or a lock was not given.
        """
        with (
            connection_edge(),
            self._one_writer,
            self._hang.asking(),
            self.writes.begin() as connection,
        ):
            yield connection

    def ping(self) -> None:
        """Ask the smallest question.

        Raises:
            DatabaseUnavailableError: there was no answer.
        """
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all idle connections."""
        self.reads.dispose()
        self.writes.dispose()


def asked_database(url: str) -> Database:
    """For what only asks how the database is: one that hangs is found out within two seconds.

    Its connections are its own, so probes neither wait for requests nor take their connections.
    """
    return Database(url, pool_size=2, answer_seconds=PROBE_SECONDS)


def migration_engine(database: Database) -> Engine:
    """Connections for migrations: none is kept, and a statement may take as long as it needs."""
    arguments = _connect_args(database.is_sqlite, ANSWER_SECONDS)
    for limit in ("read_timeout", "write_timeout"):
        arguments.pop(limit, None)
    engine = create_engine(
        database.url,
        isolation_level=_isolation(database.is_sqlite),
        poolclass=NullPool,
        connect_args=arguments,
    )
    if database.is_sqlite:
        _prepare_sqlite_writes(engine)
    else:
        share_tls(engine)
    return engine


def parse_url(url: str) -> URL:
    """Read a database address; `mariadb://` and `mysql://` mean the bundled driver.

    Raises:
        ConfigurationError: it is no address, or names a database that is not supported.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("MADANG_DATABASE_URL is not a database address") from None
    backend = parsed.get_backend_name()
    if backend in {"mysql", "mariadb"}:
        name = "mariadb+pymysql" if "+" not in parsed.drivername else parsed.drivername
        return parsed.set(drivername=name).update_query_dict({"charset": "utf8mb4"})
    if backend == "sqlite":
        return parsed
    raise ConfigurationError(
        f"MADANG_DATABASE_URL: {backend} is not supported, use mariadb:// or sqlite:///"
    )


def _isolation(is_sqlite: bool) -> Literal["SERIALIZABLE", "READ COMMITTED"]:
    return "SERIALIZABLE" if is_sqlite else "READ COMMITTED"


def _prepare_sqlite_writes(engine: Engine) -> None:
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)


def _check_idle_connections(engine: Engine) -> None:
    """Replace a connection that broke while it was idle, which no caller need know of."""

    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["idle_since"] = time.monotonic()

    def check(connection: Any, record: ConnectionPoolEntry, _borrower: object) -> None:
        idle = time.monotonic() - record.info.get("idle_since", math.inf)
        if idle >= STALE_SECONDS:
            raise DisconnectionError("idle for too long")
        if idle < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            if tells_timeout(error):
                raise  # the server hangs: a new connection would wait as long again
            raise DisconnectionError(str(error)) from error

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", check)


def _connect_args(is_sqlite: bool, answer_seconds: int) -> dict[str, Any]:
    if is_sqlite:
        return {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}
    return {
        "connect_timeout": min(CONNECT_SECONDS, answer_seconds),
        "read_timeout": answer_seconds,
        "write_timeout": answer_seconds,
        "init_command": "SET SESSION time_zone='+00:00', "
        "sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
    }


def _configure_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("the sqlite3 driver is expected")
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def connection_edge() -> Iterator[None]:
    """Turn driver errors that mean "not available now" into DatabaseUnavailableError."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("All database connections are busy") from error
    except DBAPIError as error:
        if _means_unavailable(error):
            raise DatabaseUnavailableError(_DENIED_MARIADB.get(_number(error), "")) from error
        raise


def _number(error: DBAPIError) -> object:
    """The server's or the driver's own number of the error."""
    return error.orig.args[0] if error.orig is not None and error.orig.args else None


def _means_unavailable(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError) and type(error.orig).__name__ != "InterfaceError":
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        return any(
            word in str(error.orig)
            for word in ("locked", "disk is full", "disk I/O", "unable to open", "readonly")
        )
    number = _number(error)
    return number in _UNAVAILABLE_MARIADB or number in _DENIED_MARIADB or number == 0
