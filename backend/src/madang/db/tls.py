"""TLS to MariaDB where the database's address says nothing of it."""

import ssl
from typing import Any

from pymysql.connections import Connection
from sqlalchemy import Engine, event


def share_tls(engine: Engine) -> None:
    """Let connections of this engine share one TLS context where the address names no authority.

    Such a connection is encrypted if the server can do that, and holds the server to nothing.
    PyMySQL makes a context for each, also where the server is not reached at all, and reads all
    authorities of the system into it: 30 ms and more in which no other thread runs.
    """
    if engine.dialect.driver == "pymysql":
        event.listen(engine, "do_connect", _connect)


def _connect(
    _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]
) -> "_UnheldConnection | None":
    if any(option.startswith(("ssl", "read_default")) for option in options):
        return None
    return _UnheldConnection(*arguments, **options)


class _UnheldConnection(Connection):
    def _create_ssl_ctx(self, _options: dict[str, Any]) -> ssl.SSLContext:
        return _UNHELD


def _unheld() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_UNHELD = _unheld()
