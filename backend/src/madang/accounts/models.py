"""The tables of accounts, and the values that come out of them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from madang.db.base import MARIADB_TABLE, Base, BigId, Binary, UtcDateTime, UuidBytes
from madang.http.guard import Role

NUMBERED_TABLE = {**MARIADB_TABLE, "sqlite_autoincrement": True}
"""A table whose numbers are never given twice, also after a deletion."""


class User(Base):
    """An account. One that was deleted stays as a row without a name, for its messages' sake."""

    __tablename__ = "users"
    __table_args__ = NUMBERED_TABLE

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    username: Mapped[str] = mapped_column(String(64))
    username_key: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[int] = mapped_column(SmallInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Session(Base):
    """A signed-in browser. The token is not stored, only its keyed digest."""

    __tablename__ = "sessions"

    digest: Mapped[bytes] = mapped_column(Binary(32), primary_key=True)
    id: Mapped[UUID] = mapped_column(UuidBytes, unique=True)
    user_id: Mapped[int] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_agent: Mapped[str] = mapped_column(String(200))


class Revocation(Base):
    """Says that cached copies of a session, or of all of a user's, are no longer true."""

    __tablename__ = "revocations"
    __table_args__ = NUMBERED_TABLE

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    session_digest: Mapped[bytes | None] = mapped_column(Binary(32))
    user_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("users.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class UserRecord:
    """One row of `users`."""

    id: int
    username: str
    display_name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    password_hash: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One row of `sessions`, without its owner."""

    digest: bytes
    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    user_agent: str
