"""The SQL of messages. Nothing here commits."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    column,
    delete,
    func,
    insert,
    select,
    table,
    text,
    update,
)

from madang.clock import rfc3339
from madang.messages.models import COUNT_SHARDS, Author, Message, MessageRow
from madang.messages.search import Query

messages: Table = MessageRow.metadata.tables["messages"]
counts: Table = MessageRow.metadata.tables["message_counts"]
authors = table(
    "users", column("id"), column("username_key"), column("username"), column("display_name")
)

_SHOWN = (
    messages.c.id,
    messages.c.body,
    authors.c.username,
    authors.c.display_name,
    messages.c.created_at,
    messages.c.edited_at,
    messages.c.call_id,
)
_MATCH_MARIADB = text("MATCH(messages.terms) AGAINST (:asked IN BOOLEAN MODE)")
_MATCH_FTS5 = text(
    "messages.id IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH :asked)"
)
_ADD = insert(messages)
_COUNT = (
    update(counts)
    .where(counts.c.shard == bindparam("the_shard"))
    .values(total=counts.c.total + bindparam("by"))
)
_TOTAL = select(func.coalesce(func.sum(counts.c.total), 0))


@dataclass(frozen=True, slots=True)
class Range:
    """Which part of the board is meant: numbers from `floor` up to below `before`, one author's."""

    before: int | None = None
    floor: int | None = None
    user_id: int | None = None

    def of(self, query: Select[Any]) -> Select[Any]:
        """`query` over this part, newest first."""
        query = query.where(messages.c.hidden_at.is_(None))
        if self.before is not None:
            query = query.where(messages.c.id < self.before)
        if self.floor is not None:
            query = query.where(messages.c.id >= self.floor)
        if self.user_id is not None:
            query = query.where(messages.c.user_id == self.user_id)
        return query.order_by(messages.c.id.desc())


@dataclass(frozen=True, slots=True)
class Owned:
    """A message and the number of its author."""

    message: Message
    user_id: int


def add(
    connection: Connection,
    *,
    user_id: int,
    body: str,
    terms: str,
    now: datetime,
    call_id: UUID | None,
) -> int:
    """Add a message, count it, and give its number."""
    values = {
        "user_id": user_id,
        "body": body,
        "terms": terms,
        "created_at": now,
        "call_id": call_id,
    }
    added = connection.execute(_ADD, values)
    change_total(connection, 1)
    return int(added.lastrowid)


def change_total(connection: Connection, by: int) -> None:
    """Count messages in or out, in this thread's part of the total.

    Neighbouring threads have neighbouring numbers, so those of one process do not meet.
    """
    shard = threading.get_native_id() % COUNT_SHARDS
    connection.execute(_COUNT, {"the_shard": shard, "by": by})


def find(connection: Connection, message_id: int) -> Owned | None:
    """One message."""
    query = _shown(messages.c.user_id).where(
        messages.c.id == message_id, messages.c.hidden_at.is_(None)
    )
    row = connection.execute(query).first()
    return None if row is None else Owned(_message(row), row.user_id)


def edit(connection: Connection, message_id: int, body: str, terms: str, now: datetime) -> bool:
    """Give a message another text; False when it is gone."""
    edited = connection.execute(
        update(messages)
        .where(messages.c.id == message_id)
        .values(body=body, terms=terms, edited_at=now)
    )
    return edited.rowcount > 0


def remove(connection: Connection, message_id: int) -> bool:
    """Remove a message and count it out; False when it is gone."""
    removed = connection.execute(delete(messages).where(messages.c.id == message_id))
    if removed.rowcount:
        change_total(connection, -removed.rowcount)
    return removed.rowcount > 0


def author_number(connection: Connection, username_key: str) -> int | None:
    """The number of the account with this key."""
    query = select(authors.c.id).where(authors.c.username_key == username_key)
    number: int | None = connection.execute(query).scalar()
    return number


def total(connection: Connection) -> int:
    """How many messages there are."""
    return int(connection.execute(_TOTAL).scalar_one())


def newest_with_total(
    connection: Connection, before: int | None, limit: int
) -> tuple[list[Message], int]:
    """The newest messages below `before`, and how many there are in all, in one question."""
    query = _shown(_TOTAL.scalar_subquery().label("total"))
    rows = connection.execute(Range(before).of(query).limit(limit)).all()
    number = int(rows[0].total) if rows else total(connection)
    return [_message(row) for row in rows], number


def newest(connection: Connection, part: Range, limit: int) -> list[Message]:
    """The newest messages of a part of the board."""
    rows = connection.execute(part.of(_shown()).limit(limit))
    return [_message(row) for row in rows]


def by_numbers(connection: Connection, numbers: Sequence[int]) -> list[Message]:
    """These messages, newest first."""
    if not numbers:
        return []
    query = _shown().where(messages.c.id.in_(numbers)).order_by(messages.c.id.desc())
    return [_message(row) for row in connection.execute(query)]


def count_up_to(connection: Connection, part: Range, most: int) -> int:
    """How many messages a part of the board has, counted no further than `most`."""
    numbers = part.of(select(messages.c.id)).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(numbers)).scalar_one()


def newest_number(connection: Connection) -> int:
    """The highest number of a message, 0 when there is none."""
    return connection.execute(select(func.max(messages.c.id))).scalar() or 0


def scan(connection: Connection, query: Query, part: Range, limit: int) -> list[tuple[int, str]]:
    """Number and body of what may be hits in a part of the board, by looking at every row."""
    found = part.of(select(messages.c.id, messages.c.body)).limit(limit)
    for pattern in query.for_like():
        found = found.where(messages.c.terms.like(pattern))
    if not query.terms:
        for piece in query.pieces:
            found = found.where(messages.c.body.contains(piece, autoescape=True))
    return [(row.id, row.body) for row in connection.execute(found)]


def ask_index(
    connection: Connection, query: Query, part: Range, limit: int
) -> list[tuple[int, str]]:
    """Number and body of what may be hits in a part of the board, by the full-text index."""
    found = part.of(select(messages.c.id, messages.c.body)).limit(limit)
    if connection.dialect.name == "sqlite":
        found, asked = found.where(_MATCH_FTS5), query.for_fts5()
    else:
        found, asked = found.where(_MATCH_MARIADB), query.for_mariadb()
    return [(row.id, row.body) for row in connection.execute(found, {"asked": asked})]


def _shown(*more: Any) -> Select[Any]:
    """Every message has its author; the outer join keeps MariaDB from starting with the authors."""
    of_message = authors.c.id == messages.c.user_id
    return select(*_SHOWN, *more).join_from(messages, authors, of_message, isouter=True)


def _message(row: Row[Any]) -> Message:
    return Message(
        row.id,
        row.body,
        Author(row.username, row.display_name),
        rfc3339(row.created_at),
        None if row.edited_at is None else rfc3339(row.edited_at),
        row.call_id,
    )
