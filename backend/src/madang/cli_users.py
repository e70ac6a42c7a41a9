"""`madang user`: accounts from the command line, beside the running processes."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from madang.accounts.administration import AccountAdministration
from madang.accounts.passwords import Passwords
from madang.accounts.sessions import NoSessionCache
from madang.bootstrap import session_service
from madang.db import migrate as schema
from madang.db.engine import Database
from madang.errors import UsernameTakenError
from madang.http.guard import Role
from madang.settings import Settings

ROLES = click.Choice([role.name for role in Role])
PASSWORD_VARIABLE = "MADANG_USER_PASSWORD"  # noqa: S105  # a name


@contextmanager
def _accounts() -> Iterator[AccountAdministration]:
    settings = Settings.load()
    database = Database(settings.require_database_url(), pool_size=1)
    try:
        schema.check(database)
        # No session begins here, so no key is needed; running processes see what changed by rows.
        sessions = session_service(settings, database, b"", NoSessionCache())
        yield AccountAdministration(database, Passwords(), sessions)
    finally:
        database.close()


def _password(text: str) -> str:
    typed: str = click.prompt(text, hide_input=True, confirmation_prompt=True)
    return typed


password_option = click.option(
    "--password",
    envvar=PASSWORD_VARIABLE,
    help="Better given in MADANG_USER_PASSWORD, or asked for when left out.",
)


@click.group()
def user() -> None:
    """Manage accounts; needs MADANG_DATABASE_URL."""


@user.command()
@click.argument("username")
@click.option("--role", type=ROLES, default=Role.member.name, show_default=True)
@click.option("--display-name", help="The username when left out.")
@click.option("--if-missing", is_flag=True, help="Do nothing where the name is taken.")
@password_option
def add(
    username: str, role: str, display_name: str | None, *, if_missing: bool, password: str | None
) -> None:
    """Add an account."""
    with _accounts() as accounts:
        try:
            made = accounts.add_user(
                username, password or _password("Password"), Role[role], display_name
            )
        except UsernameTakenError:
            if not if_missing:
                raise
            click.echo(f"{username} exists")
        else:
            click.echo(f"Added {made.username} as {made.role.name}")


@user.command("list")
def list_users() -> None:
    """List all accounts, oldest first."""
    with _accounts() as accounts:
        for found in accounts.list_users():
            state = "disabled" if found.disabled_at else "active"
            click.echo(f"{found.username}\t{found.role.name}\t{state}\t{found.created_at:%Y-%m-%d}")


@user.command()
@click.argument("username")
@click.argument("new_role", type=ROLES)
def role(username: str, new_role: str) -> None:
    """Give an account another role."""
    with _accounts() as accounts:
        accounts.set_role(username, Role[new_role])
    click.echo(f"{username} is {new_role} now")


@user.command()
@click.argument("username")
@password_option
def password(username: str, password: str | None) -> None:
    """Give an account another password and end its sessions."""
    with _accounts() as accounts:
        accounts.set_password(username, password or _password("New password"))
    click.echo(f"{username} has a new password; its sessions have ended")


@user.command()
@click.argument("username")
@click.option("--undo", is_flag=True, help="Enable the account again.")
def disable(username: str, *, undo: bool) -> None:
    """Disable an account and end its sessions, or enable it again."""
    with _accounts() as accounts:
        accounts.set_disabled(username, not undo)
    click.echo(f"{username} is {'active' if undo else 'disabled'} now")
