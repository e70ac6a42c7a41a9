"""How connections to a real MariaDB are encrypted."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from madang.db.engine import Database, migration_engine
from madang.errors import DatabaseUnavailableError
from tests.services.mariadb import MariaDB, mariadb

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server(services_directory: Path) -> Iterator[MariaDB]:
    """One that offers TLS, with a certificate that is its own authority."""
    with mariadb(services_directory / "mariadb-tls", tls=True) as made:
        with made.cursor() as cursor:
            cursor.execute("CREATE DATABASE board")
        yield made


@pytest.fixture
def authority(services_directory: Path) -> Path:
    return services_directory / "mariadb-tls" / "certificate.pem"


def cipher(connection: Connection) -> str:
    return str(connection.execute(text("SHOW SESSION STATUS LIKE 'Ssl_cipher'")).one()[1])


def test_connections_are_encrypted_where_the_server_can_without_reading_authorities(
    server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl, "create_default_context", pytest.fail)
    database = Database(server.url("board"))
    with database.read() as reading, database.write() as writing:
        assert cipher(reading)
        assert cipher(writing)
    with migration_engine(database).connect() as migrating:
        assert cipher(migrating)
    database.close()


def test_connection_to_a_server_without_tls_is_plain(database_url: str) -> None:
    database = Database(database_url)
    with database.read() as connection:
        assert cipher(connection) == ""
    database.close()


def test_server_is_held_to_the_authority_that_the_address_names(
    server: MariaDB, authority: Path
) -> None:
    database = Database(f"{server.url('board')}?ssl_ca={authority}")
    with database.read() as connection:
        assert cipher(connection)
    database.close()


def test_server_that_another_authority_signed_is_refused(server: MariaDB) -> None:
    # The system's own authorities, of which none signed what the test made a moment ago.
    others = ssl.get_default_verify_paths().openssl_cafile
    database = Database(f"{server.url('board')}?ssl_ca={others}")
    with pytest.raises(DatabaseUnavailableError) as refused:
        database.ping()
    assert "certificate verify failed" in str(refused.value.__cause__)
    database.close()
