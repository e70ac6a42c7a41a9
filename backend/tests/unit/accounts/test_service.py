"""The rules of accounts."""

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import text

from madang.accounts import store
from madang.accounts.administration import AccountAdministration
from madang.accounts.passwords import Passwords
from madang.accounts.service import AccountService
from madang.accounts.sessions import CachedSession
from madang.db.engine import Database
from madang.errors import (
    AccountDisabledError,
    InvalidCredentialsError,
    NotFoundError,
    UnauthenticatedError,
    UsernameTakenError,
    ValidationFailedError,
)
from madang.http.guard import Role
from tests.board import PASSWORD, Board, quick_hasher


class RememberingCache:
    """Gives back whatever was put, however old: what Redis does without the watch."""

    def __init__(self) -> None:
        self.copies: dict[bytes, CachedSession] = {}

    def get(self, digest: bytes) -> CachedSession | None:
        """The copy."""
        return self.copies.get(digest)

    def put(self, copy: CachedSession) -> None:
        """Keep it."""
        self.copies[copy.identity.session_digest] = copy

    def forget(self, digests: Sequence[bytes]) -> None:
        """Drop them."""
        for digest in digests:
            self.copies.pop(digest, None)


def _seen(board: Board, digest: bytes) -> str:
    with board.database.read() as connection:
        found = store.session_with_user(connection, digest)
    assert found is not None
    return found[1].last_seen_at.isoformat()


def test_register_signs_in(board: Board) -> None:
    begun = board.accounts.register("하늘", PASSWORD, user_agent="A browser\x00\n" + "x" * 300)
    identity = board.identity(begun.token)
    assert (identity.username, identity.display_name) == ("하늘", "하늘")
    assert identity.role is Role.member
    assert len(begun.session.user_agent) == 200
    assert begun.session.user_agent.isprintable()


@pytest.mark.parametrize("name", ["KIM", "kim", "ＫＩＭ"])
def test_register_a_name_that_is_taken_in_another_form(board: Board, name: str) -> None:
    board.sign_up("Kim")
    with pytest.raises(UsernameTakenError):
        board.accounts.register(name, PASSWORD)
    assert [user.username for user in board.administration.list_users()] == ["Kim"]


@pytest.mark.parametrize(
    ("username", "password", "display_name", "field"),
    [
        ("a", PASSWORD, None, "username"),
        ("ab", "short", None, "password"),
        ("ab", PASSWORD, "", "display_name"),
    ],
)
def test_register_against_a_rule_names_the_field(
    board: Board, username: str, password: str, display_name: str | None, field: str
) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        board.accounts.register(username, password, display_name)
    assert [error.field for error in caught.value.errors] == [field]
    assert board.administration.list_users() == []


def test_register_first_becomes_admin_only_where_asked_for(database: Database) -> None:
    board = Board(database, first_becomes_admin=True)
    assert board.sign_up("first").role is Role.admin
    assert board.sign_up("second").role is Role.member


def test_register_nobody_becomes_admin_after_the_first_left(database: Database) -> None:
    board = Board(database, first_becomes_admin=True)
    board.accounts.delete(board.sign_up("first"), PASSWORD)
    assert board.sign_up("second").role is Role.member


def test_log_in_any_form_of_the_name(board: Board) -> None:
    board.sign_up("Kim")
    assert board.accounts.log_in("ＫＩＭ", PASSWORD).user.username == "Kim"


@pytest.mark.parametrize(("username", "password"), [("kim", "wrong one"), ("nobody", PASSWORD)])
def test_log_in_wrong_is_refused(board: Board, username: str, password: str) -> None:
    board.sign_up("kim")
    with pytest.raises(InvalidCredentialsError):
        board.accounts.log_in(username, password)


def test_log_in_disabled_is_told_only_with_the_right_password(board: Board) -> None:
    board.sign_up("kim")
    board.administration.set_disabled("kim", True)
    with pytest.raises(AccountDisabledError):
        board.accounts.log_in("kim", PASSWORD)
    with pytest.raises(InvalidCredentialsError):
        board.accounts.log_in("kim", "wrong one")
    board.administration.set_disabled("kim", False)
    assert board.accounts.log_in("kim", PASSWORD)


def test_log_in_rehashes_when_the_parameters_changed(board: Board) -> None:
    board.sign_up("kim")
    stronger = AccountService(
        board.database, Passwords(quick_hasher(2)), board.sessions, board.clock
    )
    stronger.log_in("kim", PASSWORD)
    assert ",t=2," in board.administration.list_users()[0].password_hash
    assert board.accounts.log_in("kim", PASSWORD)


def test_log_in_removes_the_users_expired_sessions(board: Board) -> None:
    board.sign_up("kim")
    board.clock.advance(days=31)
    board.accounts.log_in("kim", PASSWORD)
    with board.database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM sessions")).scalar() == 1


def test_prune_removes_sessions_that_are_over_and_old_revocations(board: Board) -> None:
    board.sign_up("kim")
    board.administration.set_password("kim", PASSWORD)
    board.clock.advance(days=31)
    board.sign_up("lee")
    assert board.sessions.prune() == 0  # the first was ended, the second has just begun
    board.clock.advance(days=31)
    assert board.sessions.prune() == 1
    with board.database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM revocations")).scalar() == 0


@pytest.mark.parametrize("token", ["", "x", "x" * 10_000, "한글", "\ud800"])
def test_authenticate_no_token_of_ours_is_nobody(board: Board, token: str) -> None:
    assert board.sessions.authenticate(token) is None


def test_authenticate_ends_with_the_session(board: Board) -> None:
    token = board.accounts.register("kim", PASSWORD).token
    board.clock.advance(days=29, hours=23)
    assert board.sessions.authenticate(token)
    board.clock.advance(hours=2)
    assert board.sessions.authenticate(token) is None


def test_authenticate_expired_copy_is_not_believed(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    token = board.accounts.register("kim", PASSWORD).token
    assert board.sessions.authenticate(token)
    board.clock.advance(days=31)
    assert board.sessions.authenticate(token) is None


def test_authenticate_with_a_copy_asks_no_rows(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    token = board.accounts.register("kim", PASSWORD).token
    first = board.sessions.authenticate(token)
    with database.write() as connection:
        connection.execute(text("DELETE FROM sessions"))
    assert board.sessions.authenticate(token) == first


def test_authenticate_notes_the_use_once_a_minute(board: Board) -> None:
    begun = board.accounts.register("kim", PASSWORD)
    at_first = _seen(board, begun.session.digest)
    board.clock.advance(seconds=59)
    board.identity(begun.token)
    assert _seen(board, begun.session.digest) == at_first
    board.clock.advance(seconds=1)
    board.identity(begun.token)
    assert _seen(board, begun.session.digest) == board.clock.now.isoformat()


def test_valid_sessions_are_told_by_their_rows_and_noted_as_used(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    staying, ended, disabled = (
        board.accounts.register(name, PASSWORD) for name in ("kim", "lee", "park")
    )
    digests = [each.session.digest for each in (staying, ended, disabled)]
    board.sessions.log_out(board.identity(ended.token))
    with database.write() as connection:
        store.change_user(connection, disabled.user.id, disabled_at=board.clock.now)
    board.clock.advance(minutes=1)

    assert board.sessions.valid_sessions([*digests, b"x" * 32]) == {staying.session.digest}
    assert _seen(board, staying.session.digest) == board.clock.now.isoformat()
    board.clock.advance(days=400)
    assert board.sessions.valid_sessions(digests) == set()
    assert board.sessions.valid_sessions([]) == set()


def test_authenticate_disabled_user_is_nobody(board: Board) -> None:
    begun = board.accounts.register("kim", PASSWORD)
    board.administration.set_disabled("kim", True)
    assert board.sessions.authenticate(begun.token) is None


def test_log_out_ends_the_session_and_its_copy(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    begun = board.accounts.register("kim", PASSWORD)
    board.sessions.log_out(board.identity(begun.token))
    assert board.sessions.authenticate(begun.token) is None


def test_role_change_reaches_sessions_that_are_cached(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    begun = board.accounts.register("kim", PASSWORD)
    assert board.identity(begun.token).role is Role.member
    board.administration.set_role("KIM", Role.moderator)
    assert board.identity(begun.token).role is Role.moderator


def test_change_password_ends_the_other_sessions(database: Database) -> None:
    board = Board(database, cache=RememberingCache())
    here = board.accounts.register("kim", PASSWORD)
    there = board.accounts.log_in("kim", PASSWORD)
    board.identity(there.token)
    board.accounts.change_password(board.identity(here.token), PASSWORD, "another one")
    assert board.sessions.authenticate(here.token)
    assert board.sessions.authenticate(there.token) is None
    assert board.accounts.log_in("kim", "another one")
    with pytest.raises(InvalidCredentialsError):
        board.accounts.log_in("kim", PASSWORD)


def test_change_password_needs_the_current_one(board: Board) -> None:
    kim = board.sign_up("kim")
    with pytest.raises(InvalidCredentialsError):
        board.accounts.change_password(kim, "wrong one", "another one")
    assert board.accounts.log_in("kim", PASSWORD)


def test_sessions_are_the_callers_own_and_valid(board: Board) -> None:
    kim, lee = board.sign_up("kim"), board.sign_up("lee")
    board.clock.advance(days=20)
    newer = board.accounts.log_in("kim", PASSWORD)
    assert len(board.sessions.of(kim)) == 2
    board.clock.advance(days=11)
    assert [item.id for item in board.sessions.of(kim)] == [newer.session.id]
    with pytest.raises(NotFoundError):
        board.sessions.end(lee, newer.session.id)
    board.sessions.end(kim, newer.session.id)
    assert board.sessions.authenticate(newer.token) is None


def test_rename_changes_what_others_see(board: Board) -> None:
    begun = board.accounts.register("kim", PASSWORD)
    board.accounts.rename(board.identity(begun.token), " 김 하늘 ")
    assert board.identity(begun.token).display_name == "김 하늘"


def test_delete_ends_sessions_and_frees_the_name(board: Board) -> None:
    begun = board.accounts.register("kim", PASSWORD)
    kim = board.identity(begun.token)
    board.messages.post(kim, "남는 글")
    with pytest.raises(InvalidCredentialsError):
        board.accounts.delete(kim, "wrong one")
    board.accounts.delete(kim, PASSWORD)
    assert board.sessions.authenticate(begun.token) is None
    assert board.administration.list_users() == []
    assert board.sign_up("kim").user_id != kim.user_id
    shown = board.messages.page(10).items[0]
    assert (shown.body, shown.author.username) == ("남는 글", "(deleted)")
    assert board.messages.page(10, user="kim").items == []


def test_delete_twice_is_no_longer_signed_in(board: Board) -> None:
    kim = board.sign_up("kim")
    board.accounts.delete(kim, PASSWORD)
    with pytest.raises(UnauthenticatedError):
        board.accounts.delete(kim, PASSWORD)


def test_command_line_adds_a_user_with_a_role(board: Board) -> None:
    added = board.administration.add_user("root", PASSWORD, Role.admin)
    assert added.role is Role.admin
    assert board.accounts.log_in("root", PASSWORD).user.id == added.id


def test_command_line_new_password_ends_all_sessions(board: Board) -> None:
    begun = board.accounts.register("kim", PASSWORD)
    board.administration.set_password("kim", "another one")
    assert board.sessions.authenticate(begun.token) is None
    assert board.accounts.log_in("kim", "another one")


@pytest.mark.parametrize(
    "change",
    [
        lambda accounts: accounts.set_role("nobody", Role.admin),
        lambda accounts: accounts.set_password("nobody", PASSWORD),
        lambda accounts: accounts.set_disabled("nobody", True),
    ],
)
def test_command_line_unknown_user_is_named(
    board: Board, change: Callable[[AccountAdministration], None]
) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        change(board.administration)
