"""Kinds of calls: what service answered which endpoint, by what method, with what status.

There are few (some tens), so history and statistics name each by a number. The number is a digest
of the kind, so recorders need not agree on it.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import InstrumentedAttribute

from madang.calls.event import CallEvent
from madang.calls.models import CallKind

ALL_KINDS = 0
"""The number under which statistics count calls of every kind together."""


class Kind(NamedTuple):
    """What a call is, apart from who made it, when and how long it took."""

    service_name: str
    endpoint: str
    method: str
    status: int


def kind_of(event: CallEvent) -> Kind:
    """The kind of a call."""
    return Kind(event.service_name, event.endpoint, event.method, event.status)


@lru_cache(maxsize=10_000)
def number_of(kind: Kind) -> int:
    """The number of a kind: 63 bits of its BLAKE2b digest, never 0 in practice."""
    text = "\n".join((kind.service_name, kind.endpoint, kind.method, str(kind.status)))
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def add(connection: Connection, kinds: Iterable[Kind]) -> None:
    """Know of these kinds; those that are known already stay."""
    # In one order everywhere, so that recorders wait for each other and never in a circle.
    rows = sorted(({"id": number_of(kind), **kind._asdict()} for kind in kinds), key=_by_number)
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(sqlite_insert(CallKind).on_conflict_do_nothing(), rows)
    else:
        connection.execute(mysql_insert(CallKind).prefix_with("IGNORE"), rows)


def matching(connection: Connection, *conditions: ColumnElement[bool]) -> list[int]:
    """The numbers of the known kinds that meet `conditions` on `CallKind`."""
    return list(connection.execute(select(CallKind.id).where(*conditions)).scalars())


def names(connection: Connection, by: Literal["endpoint", "status", "service"]) -> dict[int, str]:
    """What each known kind is called when calls are told apart so."""
    asked = select(CallKind.id, _NAMED_BY[by])
    return {number: str(name) for number, name in connection.execute(asked)}


_NAMED_BY: Mapping[str, InstrumentedAttribute[Any]] = {
    "endpoint": CallKind.endpoint,
    "status": CallKind.status,
    "service": CallKind.service_name,
}


def _by_number(row: dict[str, int | str]) -> int:
    return int(row["id"])
