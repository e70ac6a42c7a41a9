"""The tables of messages, and the values that come out of them."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from madang.db.base import MARIADB_TABLE, Base, BigId, UtcDateTime, UuidBytes

COUNT_SHARDS = 16

Terms = Text().with_variant(
    mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)


def _has_fulltext(*_: object, dialect: Dialect, **_more: object) -> bool:
    """SQLite's full-text index is a table of its own, which the migration makes."""
    return dialect.name != "sqlite"


class MessageRow(Base):
    """A message. `terms` is what the search index holds of its body."""

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_user_id_id", "user_id", "id"),
        Index(
            "ft_messages_terms", "terms", mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT"
        ).ddl_if(callable_=_has_fulltext),
        {**MARIADB_TABLE, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"))
    body: Mapped[str] = mapped_column(Text)
    terms: Mapped[str] = mapped_column(Terms)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    call_id: Mapped[UUID | None] = mapped_column(UuidBytes)


class MessageCount(Base):
    """A part of the exact number of messages; in parts, so that posts do not wait in one line."""

    __tablename__ = "message_counts"

    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    total: Mapped[int] = mapped_column(BigInteger)


class Author(msgspec.Struct, frozen=True):
    """Who wrote a message."""

    username: str
    display_name: str


class Message(msgspec.Struct, frozen=True):
    """A message as clients see it; moments are RFC 3339 text."""

    id: int
    body: str
    author: Author
    created_at: str
    edited_at: str | None
    call_id: UUID | None


class MessagePage(msgspec.Struct, frozen=True):
    """A part of a newest-first list.

    `total` counts the whole list; where `total_exact` is false there are at least so many.
    """

    items: list[Message]
    total: int
    total_exact: bool
    next_cursor: str | None


class MessageCreated(msgspec.Struct, frozen=True, tag="created"):
    """A message was posted."""

    message: Message


class MessageUpdated(msgspec.Struct, frozen=True, tag="updated"):
    """A message was edited."""

    message: Message


class MessageDeleted(msgspec.Struct, frozen=True, tag="deleted"):
    """A message was deleted."""

    id: int


BoardEvent: TypeAlias = MessageCreated | MessageUpdated | MessageDeleted
"""What happened on the board. `msgspec.json.encode` writes it with its `type`."""
