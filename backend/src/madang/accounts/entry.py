"""How an account comes into being, by whomever it is made."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from madang.accounts import store
from madang.accounts.models import UserRecord
from madang.accounts.names import clean_display_name, clean_username, username_key
from madang.accounts.passwords import Passwords, check_password
from madang.clock import Clock
from madang.errors import ValidationFailedError
from madang.http.guard import Role


def new_user(
    passwords: Passwords, clock: Clock, username: str, password: str, display_name: str | None
) -> UserRecord:
    """An account that is not stored yet; its password is hashed, which takes its time.

    Raises:
        ValidationFailedError: a value breaks a rule.
    """
    username = checked("username", clean_username, username)
    checked("password", check_password, password)
    shown = username if display_name is None else display_name
    shown = checked("display_name", clean_display_name, shown)
    return UserRecord(0, username, shown, Role.member, clock(), None, passwords.hash(password))


def add(connection: Connection, user: UserRecord, role: Role) -> UserRecord:
    """Store a new account with a role.

    Raises:
        UsernameTakenError: another account has the name in some form.
    """
    user_id = store.add_user(
        connection,
        username=user.username,
        username_key=username_key(user.username),
        display_name=user.display_name,
        password_hash=user.password_hash,
        role=role,
        now=user.created_at,
    )
    return replace(user, id=user_id, role=role)


def checked(field: str, rule: Callable[[str], str], value: str) -> str:
    """What a rule makes of a value.

    Raises:
        ValidationFailedError: it breaks the rule; the field is named.
    """
    try:
        return rule(value)
    except ValueError as error:
        raise ValidationFailedError.of(field, str(error)) from None
