"""Accounts as administrators see them."""

from madang.accounts import entry, store
from madang.accounts.models import UserRecord
from madang.accounts.names import username_key
from madang.accounts.passwords import Passwords, check_password
from madang.accounts.session_service import SessionService
from madang.clock import Clock, utc_now
from madang.db.engine import Database
from madang.errors import NotFoundError
from madang.http.guard import Role


class AccountAdministration:
    """What may be done to any account, by its name.

    A method may raise DatabaseUnavailableError, and has then changed nothing.
    """

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sessions: SessionService,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sessions = sessions
        self._clock = clock

    def add_user(
        self, username: str, password: str, role: Role, display_name: str | None = None
    ) -> UserRecord:
        """Add an account with a role.

        Raises:
            ValidationFailedError: a value breaks a rule.
            UsernameTakenError: another account has the name in some form.
        """
        user = entry.new_user(self._passwords, self._clock, username, password, display_name)
        with self._database.write() as connection:
            return entry.add(connection, user, role)

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
        entry.checked("password", check_password, password)
        self._change(username, ends_sessions=True, password_hash=self._passwords.hash(password))

    def set_disabled(self, username: str, disabled: bool) -> None:
        """Disable an account, which ends all its sessions, or enable it again.

        Raises:
            NotFoundError: there is no such account.
        """
        when = self._clock() if disabled else None
        self._change(username, ends_sessions=disabled, disabled_at=when)

    def _change(self, username: str, *, ends_sessions: bool = False, **values: object) -> None:
        with self._database.write() as connection:
            user = store.user_by_key(connection, username_key(username))
            if user is None:
                raise NotFoundError(f"There is no account {username}")
            store.change_user(connection, user.id, **values)
            digests = self._sessions.distrust_copies(connection, user.id)
            if ends_sessions:
                self._sessions.remove(connection, digests)
        self._sessions.forget(digests)
