"""A private MariaDB, or databases on one that runs already."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pymysql
from pymysql.cursors import Cursor

from tests.services.certificates import certify_itself
from tests.services.errors import ServiceError
from tests.services.ports import free_port
from tests.services.process import Account, Process, find_program, own_directory, run

_USER = "madang"

_CONFIGURATION = """\
[mariadbd]
datadir={directory}/data
socket={directory}/mariadb.sock
pid-file={directory}/mariadb.pid
tmpdir={directory}/tmp
bind-address=127.0.0.1
port={port}
skip-networking=OFF
skip-name-resolve=ON
skip-log-bin
character-set-server=utf8mb4
collation-server=utf8mb4_unicode_ci
performance-schema=OFF
innodb-buffer-pool-size={buffer_pool}
innodb-log-file-size={log_file}
innodb-flush-log-at-trx-commit={flush}
"""


@dataclass(frozen=True, slots=True)
class MariaDB:
    """A server; `process` is None when it is not ours."""

    host: str
    port: int
    user: str
    password: str
    process: Process | None = None

    @classmethod
    def at(cls, url: str) -> "MariaDB":
        """A running server, `mariadb://user:password@host:port`; the user may make databases."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    def url(self, database: str) -> str:
        """The address of one database, as `MADANG_DATABASE_URL` takes it."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"mariadb://{user}:{password}@{self.host}:{self.port}/{database}"

    @contextmanager
    def cursor(self, database: str | None = None) -> Iterator[Cursor]:
        """A cursor on a connection of its own, in autocommit mode."""
        with (
            closing(
                pymysql.connect(
                    host=self.host,
                    port=self.port,
                    user=self.user,
                    password=self.password,
                    database=database,
                    autocommit=True,
                    connect_timeout=5,
                    ssl_disabled=True,
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """An empty database, dropped at the end; yields its address."""
        with self.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        try:
            yield self.url(name)
        finally:
            with suppress(pymysql.MySQLError), self.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def answers(self) -> bool:
        """Whether it lets its user in."""
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT 1")
        except pymysql.MySQLError:
            return False
        return True

    def start(self) -> None:
        """Start our server again, on the same port and data."""
        self._own().start()

    def stop(self) -> None:
        """End our server in order."""
        self._own().stop(30)

    def _own(self) -> Process:
        if self.process is None:
            raise ServiceError(f"MariaDB at {self.host}:{self.port} is not ours to stop")
        return self.process


@contextmanager
def mariadb(
    directory: Path,
    *,
    port: int | None = None,
    password: str = "madang",
    durable: bool = False,
    buffer_pool: str = "64M",
    log_file: str = "16M",
    tls: bool = False,
) -> Iterator[MariaDB]:
    """A server in this directory; what is there already is kept.

    Args:
        directory: made when missing.
        port: any free one when None.
        password: of the user `madang`, who may do everything; set when the data are made.
        durable: flush the log at each commit, as in production; needed for measurements.
        buffer_pool: as `innodb_buffer_pool_size` takes it.
        log_file: as `innodb_log_file_size` takes it.
        tls: whether it offers TLS, with the certificate `certificate.pem` in the directory.
    """
    account = Account.first_of("mysql")
    own_directory(directory, account)
    own_directory(directory / "tmp", account)
    port = port or free_port()
    configuration = directory / "my.cnf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            port=port,
            buffer_pool=buffer_pool,
            log_file=log_file,
            flush=1 if durable else 2,
        )
    )
    if tls:
        key, certificate = certify_itself(directory, "certificate", account)
        with configuration.open("a") as file:
            file.write(f"ssl-cert={certificate}\nssl-key={key}\n")
    configuration.chmod(0o644)
    log = directory / "mariadb.log"
    argv = [find_program("mariadbd"), f"--defaults-file={configuration}"]
    if not (directory / "data").exists():
        argv.append(f"--init-file={_install(directory, configuration, password, account)}")
    process = Process("MariaDB", argv, log=log, account=account)
    server = MariaDB("127.0.0.1", port, _USER, password, process)
    process.ready = server.answers
    try:
        server.start()
        process.argv = process.argv[:2]
        yield server
    finally:
        process.stop(30)


def _install(directory: Path, configuration: Path, password: str, account: Account | None) -> Path:
    """Make the system tables; returns the statements to run at the first start, one a line."""
    argv = [
        find_program("mariadb-install-db"),
        f"--defaults-file={configuration}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
    ]
    run("mariadb-install-db", argv, log=directory / "install.log", account=account)
    literal = pymysql.converters.escape_string(password)
    first = own_directory(directory / "tmp", account) / "first.sql"
    first.write_text(
        f"CREATE USER '{_USER}'@'127.0.0.1' IDENTIFIED BY '{literal}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{_USER}'@'127.0.0.1';\n"
    )
    first.chmod(0o644)
    return first
