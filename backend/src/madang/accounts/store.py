"""The SQL of accounts. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Table, and_, delete, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from madang.accounts.models import SessionRecord, User, UserRecord
from madang.errors import UsernameTakenError
from madang.http.guard import Role

MOST_SESSIONS_LISTED = 200

users: Table = User.metadata.tables["users"]
sessions: Table = User.metadata.tables["sessions"]
revocations: Table = User.metadata.tables["revocations"]

_USER = [users.c[field.name] for field in fields(UserRecord)]
_SESSION = [sessions.c[field.name] for field in fields(SessionRecord)]
_SESSION_OF_USER = [column.label(f"session_{column.name}") for column in _SESSION]


def add_user(
    connection: Connection,
    *,
    username: str,
    username_key: str,
    display_name: str,
    password_hash: str,
    role: Role,
    now: datetime,
) -> int:
    """Add an account and give its number.

    Raises:
        UsernameTakenError: another account has the key.
    """
    values = {
        "username": username,
        "username_key": username_key,
        "display_name": display_name,
        "password_hash": password_hash,
        "role": int(role),
        "created_at": now,
    }
    try:
        added = connection.execute(insert(users), values)
    except IntegrityError:
        raise UsernameTakenError(f"The username {username} is taken") from None
    return _number(added.inserted_primary_key)


def has_users(connection: Connection) -> bool:
    """Whether there ever was an account."""
    return connection.execute(select(users.c.id).limit(1)).first() is not None


def user_by_key(connection: Connection, key: str) -> UserRecord | None:
    """The account of this username key."""
    row = connection.execute(select(*_USER).where(users.c.username_key == key)).mappings().first()
    return None if row is None else _user(row)


def user_by_id(connection: Connection, user_id: int) -> UserRecord | None:
    """The account of this number, unless it was deleted."""
    found = select(*_USER).where(users.c.id == user_id, users.c.deleted_at.is_(None))
    row = connection.execute(found).mappings().first()
    return None if row is None else _user(row)


def all_users(connection: Connection) -> list[UserRecord]:
    """Every account that was not deleted, oldest first."""
    found = select(*_USER).where(users.c.deleted_at.is_(None)).order_by(users.c.id)
    return [_user(row) for row in connection.execute(found).mappings()]


def change_user(connection: Connection, user_id: int, **values: object) -> None:
    """Set columns of one account."""
    connection.execute(update(users).where(users.c.id == user_id).values(**values))


def add_session(connection: Connection, user_id: int, session: SessionRecord) -> None:
    """Add a session."""
    values = {field.name: getattr(session, field.name) for field in fields(SessionRecord)}
    connection.execute(insert(sessions), {**values, "user_id": user_id})


def session_with_user(
    connection: Connection, digest: bytes
) -> tuple[UserRecord, SessionRecord] | None:
    """The session of this digest and its account."""
    found = (
        select(*_USER, *_SESSION_OF_USER)
        .join_from(sessions, users, users.c.id == sessions.c.user_id)
        .where(sessions.c.digest == digest)
    )
    row = connection.execute(found).mappings().first()
    if row is None:
        return None
    values = {field.name: row[f"session_{field.name}"] for field in fields(SessionRecord)}
    return _user(row), SessionRecord(**values)


def sessions_of(connection: Connection, user_id: int, now: datetime) -> list[SessionRecord]:
    """The account's valid sessions, newest first."""
    found = (
        select(*_SESSION)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > now)
        .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
        .limit(MOST_SESSIONS_LISTED)
    )
    return [SessionRecord(**row) for row in connection.execute(found).mappings()]


def digest_of_session(connection: Connection, user_id: int, session_id: UUID) -> bytes | None:
    """The digest of one session of the account."""
    found = select(sessions.c.digest).where(
        sessions.c.id == session_id, sessions.c.user_id == user_id
    )
    digest: bytes | None = connection.execute(found).scalar_one_or_none()
    return digest


def digests_of(connection: Connection, user_id: int, but: bytes | None = None) -> list[bytes]:
    """The digests of the account's sessions, but for one."""
    found = select(sessions.c.digest).where(
        sessions.c.user_id == user_id, sessions.c.digest != but if but else true()
    )
    return list(connection.execute(found).scalars())


def remove_sessions(connection: Connection, digests: Sequence[bytes]) -> None:
    """Remove these sessions."""
    connection.execute(delete(sessions).where(sessions.c.digest.in_(digests)))


def remove_expired_sessions(connection: Connection, user_id: int, now: datetime) -> None:
    """Remove the account's sessions that are over."""
    over = and_(sessions.c.user_id == user_id, sessions.c.expires_at <= now)
    connection.execute(delete(sessions).where(over))


def remove_all_expired_sessions(connection: Connection, now: datetime) -> int:
    """Remove every session that is over; how many there were."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount


def remove_revocations(connection: Connection, before: datetime) -> int:
    """Remove the revocations from before a moment; how many there were."""
    return connection.execute(delete(revocations).where(revocations.c.at < before)).rowcount


def mark_seen(connection: Connection, digest: bytes, now: datetime, unless_after: datetime) -> None:
    """Note that a session was used now, unless that was noted after `unless_after`."""
    stale = and_(sessions.c.digest == digest, sessions.c.last_seen_at <= unless_after)
    connection.execute(update(sessions).where(stale).values(last_seen_at=now))


def revoke_sessions(connection: Connection, digests: Sequence[bytes], now: datetime) -> None:
    """Say that cached copies of these sessions are no longer true."""
    if digests:
        rows = [{"session_digest": digest, "at": now} for digest in digests]
        connection.execute(insert(revocations), rows)


def revoke_user(connection: Connection, user_id: int, now: datetime) -> None:
    """Say that cached copies of the account are no longer true."""
    connection.execute(insert(revocations), {"user_id": user_id, "at": now})


def newest_revocation(connection: Connection) -> int:
    """The number of the newest revocation, 0 when there is none."""
    newest = select(revocations.c.id).order_by(revocations.c.id.desc()).limit(1)
    return connection.execute(newest).scalar() or 0


def revocations_after(
    connection: Connection, number: int
) -> list[tuple[int, bytes | None, int | None]]:
    """Number, digest and user of the revocations after this one, oldest first."""
    found = (
        select(revocations.c.id, revocations.c.session_digest, revocations.c.user_id)
        .where(revocations.c.id > number)
        .order_by(revocations.c.id)
    )
    return [(row.id, row.session_digest, row.user_id) for row in connection.execute(found)]


def _number(key: object) -> int:
    if not isinstance(key, Sequence) or not isinstance(key[0], int):
        raise TypeError("the database gave no number")
    return key[0]


def _user(row: RowMapping) -> UserRecord:
    values = {field.name: row[field.name] for field in fields(UserRecord)}
    return UserRecord(**{**values, "role": Role(values["role"])})
