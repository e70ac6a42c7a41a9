"""The rules of accounts: who may become, be and stay signed in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection
from uuid_utils.compat import uuid4

from madang.accounts import store
from madang.accounts.models import SessionRecord, UserRecord
from madang.accounts.names import clean_display_name, clean_username, username_key
from madang.accounts.passwords import Passwords, check_password
from madang.accounts.sessions import (
    LONGEST_TOKEN,
    CachedSession,
    SessionCache,
    new_token,
    token_digest,
)
from madang.clock import Clock, utc_now
from madang.db.engine import Database
from madang.errors import (
    AccountDisabledError,
    DatabaseUnavailableError,
    InvalidCredentialsError,
    NotFoundError,
    UnauthenticatedError,
    ValidationFailedError,
)
from madang.http.guard import Identity, Role

log = structlog.get_logger(__name__)

SEEN_EVERY = timedelta(minutes=1)
REVOCATIONS_KEPT = timedelta(days=1)
"""Far longer than any process believes a copy."""

LONGEST_USER_AGENT = 200
DELETED = "(deleted)"
"""The name of authors who deleted their account; no username can look like it."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session that has just begun; the token is known only here and to the client."""

    user: UserRecord
    session: SessionRecord
    token: str


class AccountService:
    """Everything that happens to accounts and sessions.

    `first_becomes_admin` gives the first account ever the administrator's role, decided in the
    transaction that adds it. It needs SQLite, whose units of work come one after another.

    A method may raise DatabaseUnavailableError, and has then changed nothing.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        secret_key: bytes,
        cache: SessionCache,
        clock: Clock = utc_now,
        *,
        session_days: int = 30,
        first_becomes_admin: bool = False,
    ) -> None:
        if first_becomes_admin and not database.is_sqlite:
            raise ValueError("the first account can become administrator only on SQLite")
        self._database = database
        self._passwords = passwords
        self._secret_key = secret_key
        self._cache = cache
        self._clock = clock
        self._lifetime = timedelta(days=session_days)
        self._first_becomes_admin = first_becomes_admin

    def register(
        self, username: str, password: str, display_name: str | None = None, user_agent: str = ""
    ) -> SignIn:
        """Add an account and sign it in.

        Raises:
            ValidationFailedError: a value breaks a rule.
            UsernameTakenError: another account has the name in some form.
        """
        with_hash = self._new_user(username, password, display_name)
        with self._database.write() as connection:
            user = self._add(connection, with_hash, None)
            return self._begin_session(connection, user, user_agent)

    def log_in(self, username: str, password: str, user_agent: str = "") -> SignIn:
        """Begin a session.

        Raises:
            InvalidCredentialsError: no such account, or another password.
            AccountDisabledError: the password is right and an administrator disabled the account.
        """
        with self._database.read() as connection:
            user = store.user_by_key(connection, username_key(username))
        stored = None if user is None else user.password_hash
        if not self._passwords.verify(stored, password) or user is None:
            raise InvalidCredentialsError
        if user.disabled_at is not None:
            raise AccountDisabledError
        outdated = self._passwords.is_outdated(user.password_hash)
        rehashed = self._passwords.hash(password) if outdated else None
        with self._database.write() as connection:
            if rehashed:
                store.change_user(connection, user.id, password_hash=rehashed)
            store.remove_expired_sessions(connection, user.id, self._clock())
            return self._begin_session(connection, user, user_agent)

    def authenticate(self, token: str) -> Identity | None:
        """Who holds this session token; None when it is not, or no longer, valid."""
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        digest = token_digest(self._secret_key, token)
        copy = self._cache.get(digest) or self._from_rows(digest)
        return copy.identity if copy and copy.expires_at > self._clock() else None

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
        self._end_sessions([identity.session_digest])

    def sessions(self, identity: Identity) -> list[SessionRecord]:
        """The caller's valid sessions, newest first."""
        with self._database.read() as connection:
            return store.sessions_of(connection, identity.user_id, self._clock())

    def end_session(self, identity: Identity, session_id: UUID) -> None:
        """End one of the caller's sessions.

        Raises:
            NotFoundError: the caller has no such session.
        """
        with self._database.read() as connection:
            digest = store.digest_of_session(connection, identity.user_id, session_id)
        if digest is None:
            raise NotFoundError("You have no such session")
        self._end_sessions([digest])

    def rename(self, identity: Identity, display_name: str) -> UserRecord:
        """Give the caller another display name.

        Raises:
            ValidationFailedError: the name breaks a rule.
        """
        name = _checked("display_name", clean_display_name, display_name)
        with self._database.write() as connection:
            user = self._own(connection, identity)
            store.change_user(connection, user.id, display_name=name)
            digests = self._distrust_copies(connection, user.id)
            renamed = self._own(connection, identity)
        self._cache.forget(digests)
        return renamed

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Change the caller's password and end the caller's other sessions.

        Raises:
            InvalidCredentialsError: the current password is another.
            ValidationFailedError: the new password breaks a rule.
        """
        _checked("new_password", check_password, new)
        self._confirm(identity, current)
        password_hash = self._passwords.hash(new)
        with self._database.write() as connection:
            store.change_user(connection, identity.user_id, password_hash=password_hash)
            digests = store.digests_of(connection, identity.user_id, identity.session_digest)
            self._remove_sessions(connection, digests)
        self._cache.forget(digests)

    def delete(self, identity: Identity, password: str) -> None:
        """Delete the caller's account; its messages stay, by nobody, and its name is free again.

        Raises:
            InvalidCredentialsError: the password is another.
        """
        self._confirm(identity, password)
        now = self._clock()
        nobody = {
            "username": DELETED,
            "username_key": f"{DELETED}:{identity.user_id}",
            "display_name": DELETED,
            "password_hash": "",
            "role": int(Role.member),
            "disabled_at": now,
            "deleted_at": now,
        }
        with self._database.write() as connection:
            store.change_user(connection, identity.user_id, **nobody)
            digests = store.digests_of(connection, identity.user_id)
            self._remove_sessions(connection, digests)
            store.revoke_user(connection, identity.user_id, now)
        self._cache.forget(digests)

    def add_user(
        self, username: str, password: str, role: Role, display_name: str | None = None
    ) -> UserRecord:
        """Add an account with a role, for the command line.

        Raises:
            ValidationFailedError: a value breaks a rule.
            UsernameTakenError: another account has the name in some form.
        """
        with_hash = self._new_user(username, password, display_name)
        with self._database.write() as connection:
            return self._add(connection, with_hash, role)

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

    def list_users(self) -> list[UserRecord]:
        """Every account, oldest first."""
        with self._database.read() as connection:
            return store.all_users(connection)

    def set_role(self, username: str, role: Role) -> None:
        """Give an account another role.

        Raises:
            NotFoundError: there is no such account.
        """
        self._change(username, role=int(role))

    def set_password(self, username: str, password: str) -> None:
        """Give an account another password and end all its sessions.

        Raises:
            NotFoundError: there is no such account.
            ValidationFailedError: the password breaks a rule.
        """
        _checked("password", check_password, password)
        self._change(username, ends_sessions=True, password_hash=self._passwords.hash(password))

    def set_disabled(self, username: str, disabled: bool) -> None:
        """Disable an account, which ends all its sessions, or enable it again.

        Raises:
            NotFoundError: there is no such account.
        """
        when = self._clock() if disabled else None
        self._change(username, ends_sessions=disabled, disabled_at=when)

    def _new_user(self, username: str, password: str, display_name: str | None) -> UserRecord:
        username = _checked("username", clean_username, username)
        _checked("password", check_password, password)
        shown = username if display_name is None else display_name
        shown = _checked("display_name", clean_display_name, shown)
        password_hash = self._passwords.hash(password)
        return UserRecord(0, username, shown, Role.member, self._clock(), None, password_hash)

    def _add(self, connection: Connection, user: UserRecord, role: Role | None) -> UserRecord:
        if role is None:
            is_first = self._first_becomes_admin and not store.has_users(connection)
            role = Role.admin if is_first else Role.member
        user_id = store.add_user(
            connection,
            username=user.username,
            username_key=username_key(user.username),
            display_name=user.display_name,
            password_hash=user.password_hash,
            role=role,
            now=user.created_at,
        )
        return UserRecord(
            user_id,
            user.username,
            user.display_name,
            role,
            user.created_at,
            None,
            user.password_hash,
        )

    def _begin_session(self, connection: Connection, user: UserRecord, user_agent: str) -> SignIn:
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

    def _from_rows(self, digest: bytes) -> CachedSession | None:
        with self._database.read() as connection:
            found = store.session_with_user(connection, digest)
        if found is None:
            return None
        user, session = found
        if user.disabled_at is not None:
            return None
        self._mark_seen(session)
        identity = Identity(user.id, user.username, user.display_name, user.role, digest)
        copy = CachedSession(identity, session.expires_at)
        self._cache.put(copy)
        return copy

    def _mark_seen(self, session: SessionRecord) -> None:
        now = self._clock()
        if now - session.last_seen_at < SEEN_EVERY:
            return
        try:
            with self._database.write() as connection:
                store.mark_seen(connection, session.digest, now, now - SEEN_EVERY)
        except DatabaseUnavailableError as error:  # the request itself can do without
            log.warning("session_use_not_noted", reason=error.detail)

    def _own(self, connection: Connection, identity: Identity) -> UserRecord:
        user = store.user_by_id(connection, identity.user_id)
        if user is None:
            raise UnauthenticatedError
        return user

    def _confirm(self, identity: Identity, password: str) -> None:
        with self._database.read() as connection:
            user = self._own(connection, identity)
        if not self._passwords.verify(user.password_hash, password):
            raise InvalidCredentialsError("The current password is another")

    def _change(self, username: str, *, ends_sessions: bool = False, **values: object) -> None:
        with self._database.write() as connection:
            user = store.user_by_key(connection, username_key(username))
            if user is None:
                raise NotFoundError(f"There is no account {username}")
            store.change_user(connection, user.id, **values)
            digests = self._distrust_copies(connection, user.id)
            if ends_sessions:
                self._remove_sessions(connection, digests)
        self._cache.forget(digests)

    def _distrust_copies(self, connection: Connection, user_id: int) -> list[bytes]:
        store.revoke_user(connection, user_id, self._clock())
        return store.digests_of(connection, user_id)

    def _end_sessions(self, digests: list[bytes]) -> None:
        with self._database.write() as connection:
            self._remove_sessions(connection, digests)
        self._cache.forget(digests)

    def _remove_sessions(self, connection: Connection, digests: list[bytes]) -> None:
        store.remove_sessions(connection, digests)
        store.revoke_sessions(connection, digests, self._clock())


def _checked(field: str, rule: Callable[[str], str], value: str) -> str:
    try:
        return rule(value)
    except ValueError as error:
        raise ValidationFailedError.of(field, str(error)) from None


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
