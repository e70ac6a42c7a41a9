"""The rules of accounts for those whose they are: registering, signing in, the own account."""

from sqlalchemy import Connection

from madang.accounts import entry, store
from madang.accounts.models import UserRecord
from madang.accounts.names import clean_display_name, username_key
from madang.accounts.passwords import Passwords, check_password
from madang.accounts.session_service import SessionService, SignIn
from madang.clock import Clock, utc_now
from madang.db.engine import Database
from madang.errors import AccountDisabledError, InvalidCredentialsError, UnauthenticatedError
from madang.http.guard import Identity, Role

DELETED = "(deleted)"
"""The name of authors who deleted their account; no username can look like it."""


class AccountService:
    """What people do with their accounts.

    `first_becomes_admin` gives the first account ever the administrator's role, decided in the
    transaction that adds it. It needs SQLite, whose units of work come one after another.

    A method may raise DatabaseUnavailableError, and has then changed nothing.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: SessionService,
        clock: Clock = utc_now,
        *,
        first_becomes_admin: bool = False,
    ) -> None:
        if first_becomes_admin and not database.is_sqlite:
            raise ValueError("the first account can become administrator only on SQLite")
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._clock = clock
        self._first_becomes_admin = first_becomes_admin

    def register(
        self, username: str, password: str, display_name: str | None = None, user_agent: str = ""
    ) -> SignIn:
        """Add an account and sign it in.

        Raises:
            ValidationFailedError: a value breaks a rule.
            UsernameTakenError: another account has the name in some form.
        """
        new = entry.new_user(self._passwords, self._clock, username, password, display_name)
        with self._database.write() as connection:
            is_first = self._first_becomes_admin and not store.has_users(connection)
            user = entry.add(connection, new, Role.admin if is_first else Role.member)
            return self._sessions.begin(connection, user, user_agent)

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
            return self._sessions.begin(connection, user, user_agent)

    def rename(self, identity: Identity, display_name: str) -> UserRecord:
        """Give the caller another display name.

        Raises:
            ValidationFailedError: the name breaks a rule.
        """
        name = entry.checked("display_name", clean_display_name, display_name)
        with self._database.write() as connection:
            user = self._own(connection, identity)
            store.change_user(connection, user.id, display_name=name)
            digests = self._sessions.distrust_copies(connection, user.id)
            renamed = self._own(connection, identity)
        self._sessions.forget(digests)
        return renamed

    def change_password(self, identity: Identity, current: str, new: str) -> None:
        """Change the caller's password and end the caller's other sessions.

        Raises:
            InvalidCredentialsError: the current password is another.
            ValidationFailedError: the new password breaks a rule.
        """
        entry.checked("new_password", check_password, new)
        self._confirm(identity, current)
        password_hash = self._passwords.hash(new)
        with self._database.write() as connection:
            store.change_user(connection, identity.user_id, password_hash=password_hash)
            digests = store.digests_of(connection, identity.user_id, identity.session_digest)
            self._sessions.remove(connection, digests)
        self._sessions.forget(digests)

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
            self._sessions.remove(connection, digests)
            store.revoke_user(connection, identity.user_id, now)
        self._sessions.forget(digests)

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
