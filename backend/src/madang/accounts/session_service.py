"""Sessions: who holds one, how it begins, and how it ends everywhere."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection
from uuid_utils.compat import uuid4

from madang.accounts import store
from madang.accounts.models import SessionRecord, UserRecord
from madang.accounts.sessions import (
    LONGEST_TOKEN,
    CachedSession,
    SessionCache,
    new_token,
    token_digest,
)
from madang.clock import Clock, utc_now
from madang.db.engine import Database
from madang.errors import DatabaseUnavailableError, NotFoundError, UnauthenticatedError
from madang.http.guard import Identity

log = structlog.get_logger(__name__)

SEEN_EVERY = timedelta(minutes=1)
REVOCATIONS_KEPT = timedelta(days=1)
"""Far longer than any process believes a copy."""

LONGEST_USER_AGENT = 200


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session that has just begun; the token is known only here and to the client."""

    user: UserRecord
    session: SessionRecord
    token: str


class SessionService:
    """Sessions as rows, and the copies of them that must not outlive them.

    A method without a connection is a unit of work of its own. It may raise
    DatabaseUnavailableError, and has then changed nothing.
    """

    def __init__(
        self,
        database: Database,
        secret_key: bytes,
        cache: SessionCache,
        clock: Clock = utc_now,
        *,
        days: int = 30,
    ) -> None:
        self._database = database
        self._secret_key = secret_key
        self._cache = cache
        self._clock = clock
        self._lifetime = timedelta(days=days)

    def authenticate(self, token: str) -> Identity | None:
        """Who holds this session token; None when it is not, or no longer, valid."""
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        digest = token_digest(self._secret_key, token)
        copy = self._cache.get(digest) or self._from_rows(digest)
        return copy.identity if copy and copy.expires_at > self._clock() else None

    def valid_sessions(self, digests: Collection[bytes]) -> set[bytes]:
        """Which of these sessions are valid, by their rows alone; they count as in use.

        Raises:
            DatabaseUnavailableError: it cannot be found out.
        """
        now = self._clock()
        with self._database.read() as connection:
            valid = store.valid_sessions(connection, digests, now)
        self._mark_seen([digest for digest, seen_at in valid if now - seen_at >= SEEN_EVERY])
        return {digest for digest, _ in valid}

    def current(self, identity: Identity) -> tuple[UserRecord, SessionRecord]:
        """The caller's account and session.

        Raises:
            UnauthenticatedError: the session has just ended.
        """
        with self._database.read() as connection:
            found = store.session_with_user(connection, identity.session_digest)
        if found is None:
            raise UnauthenticatedError
        return found

    def log_out(self, identity: Identity) -> None:
        """End the caller's session."""
        self._end([identity.session_digest])

    def of(self, identity: Identity) -> list[SessionRecord]:
        """The caller's valid sessions, newest first."""
        with self._database.read() as connection:
            return store.sessions_of(connection, identity.user_id, self._clock())

    def end(self, identity: Identity, session_id: UUID) -> None:
        """End one of the caller's sessions.

        Raises:
            NotFoundError: the caller has no such session.
        """
        with self._database.read() as connection:
            digest = store.digest_of_session(connection, identity.user_id, session_id)
        if digest is None:
            raise NotFoundError("You have no such session")
        self._end([digest])

    def prune(self) -> int:
        """Remove sessions that are over, and revocations that no copy is left to contradict.

        Returns how many sessions there were.

        Raises:
            DatabaseUnavailableError: the database does not answer.
        """
        now = self._clock()
        with self._database.write() as connection:
            store.remove_revocations(connection, now - REVOCATIONS_KEPT)
            return store.remove_all_expired_sessions(connection, now)

    def begin(self, connection: Connection, user: UserRecord, user_agent: str) -> SignIn:
        """Begin one; where it is shown later, by this user agent."""
        token, now = new_token(), self._clock()
        session = SessionRecord(
            token_digest(self._secret_key, token),
            uuid4(),
            now,
            now,
            now + self._lifetime,
            _printable(user_agent)[:LONGEST_USER_AGENT],
        )
        store.add_session(connection, user.id, session)
        return SignIn(user, session, token)

    def remove(self, connection: Connection, digests: Sequence[bytes]) -> None:
        """End these; after the unit of work their copies are to be forgotten."""
        store.remove_sessions(connection, digests)
        store.revoke_sessions(connection, digests, self._clock())

    def distrust_copies(self, connection: Connection, user_id: int) -> list[bytes]:
        """Say that copies of a user's sessions are no longer true; which sessions these are."""
        store.revoke_user(connection, user_id, self._clock())
        return store.digests_of(connection, user_id)

    def forget(self, digests: Sequence[bytes]) -> None:
        """Drop copies of what has changed; done after the unit of work."""
        self._cache.forget(digests)

    def _from_rows(self, digest: bytes) -> CachedSession | None:
        with self._database.read() as connection:
            found = store.session_with_user(connection, digest)
        if found is None:
            return None
        user, session = found
        if user.disabled_at is not None:
            return None
        if self._clock() - session.last_seen_at >= SEEN_EVERY:
            self._mark_seen([digest])
        identity = Identity(user.id, user.username, user.display_name, user.role, digest)
        copy = CachedSession(identity, session.expires_at)
        self._cache.put(copy)
        return copy

    def _mark_seen(self, digests: Sequence[bytes]) -> None:
        if not digests:
            return
        now = self._clock()
        try:
            with self._database.write() as connection:
                store.mark_seen(connection, digests, now, now - SEEN_EVERY)
        except DatabaseUnavailableError as error:  # the request itself can do without
            log.warning("session_use_not_noted", reason=error.detail)

    def _end(self, digests: Sequence[bytes]) -> None:
        with self._database.write() as connection:
            self.remove(connection, digests)
        self.forget(digests)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
