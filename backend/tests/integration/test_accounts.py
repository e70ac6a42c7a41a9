"""Accounts on real MariaDB, with sessions cached in real Redis."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis as Client
from sqlalchemy import Connection, event, text

from madang.accounts.sessions import (
    COPY_SECONDS,
    NoSessionCache,
    RedisSessionCache,
    RevocationWatch,
)
from madang.cache import CacheRedis
from madang.db.engine import Database
from madang.errors import DatabaseUnavailableError, UsernameTakenError
from madang.http.guard import Role
from tests.board import PASSWORD, Board
from tests.services.redis import redis
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

PROMISED_SECONDS = 5.0

MakeProcess = Callable[[str], Board]


@pytest.fixture
def api(migrated_url: str, board_database: Database) -> Iterator[MakeProcess]:
    """Makes what one api process has: its own connections, cache and watch."""
    with ExitStack() as stack:

        def make(redis_url: str) -> Board:
            own = Database(migrated_url)
            cache = CacheRedis.from_url(redis_url)
            watch = RevocationWatch(own)
            watch.start()
            for end in (own.close, cache.close, watch.stop):
                stack.callback(end)
            wait_until(watch.is_current, 10, "the first look at the revocations")
            return Board(own, cache=RedisSessionCache(cache, watch))

        yield make


def _keys(redis_url: str) -> list[bytes]:
    with Client.from_url(redis_url) as client:
        return list(client.scan_iter("madang:session:*"))


def test_session_is_copied_to_redis_for_a_minute(api: MakeProcess, redis_url: str) -> None:
    board = api(redis_url)
    token = board.accounts.register("하늘", PASSWORD).token
    board.identity(token)
    (key,) = _keys(redis_url)
    with Client.from_url(redis_url) as client:
        assert 0 < client.ttl(key) <= COPY_SECONDS
    assert board.identity(token).username == "하늘"


def test_log_out_counts_at_once_in_every_process(api: MakeProcess, redis_url: str) -> None:
    here, there = api(redis_url), api(redis_url)
    token = here.accounts.register("kim", PASSWORD).token
    here.sessions.log_out(there.identity(token))
    assert there.sessions.authenticate(token) is None


def test_log_out_counts_within_the_promise_whatever_redis_holds(
    api: MakeProcess, redis_url: str, board_database: Database
) -> None:
    """Another process ends the session and cannot reach Redis: the copy stays there."""
    here, without_redis = api(redis_url), Board(board_database, cache=NoSessionCache())
    token = here.accounts.register("kim", PASSWORD).token
    identity = here.identity(token)
    without_redis.sessions.log_out(identity)
    assert _keys(redis_url)
    wait_until(
        lambda: here.sessions.authenticate(token) is None,
        PROMISED_SECONDS,
        "the end of the session",
    )
    assert _keys(redis_url)


def test_role_counts_within_the_promise_whatever_redis_holds(
    api: MakeProcess, redis_url: str, board_database: Database
) -> None:
    here, without_redis = api(redis_url), Board(board_database, cache=NoSessionCache())
    token = here.accounts.register("kim", PASSWORD).token
    here.identity(token)
    without_redis.administration.set_role("kim", Role.moderator)
    wait_until(
        lambda: here.identity(token).role is Role.moderator, PROMISED_SECONDS, "the new role"
    )


def test_redis_away_logs_nobody_out(api: MakeProcess, services_directory: Path) -> None:
    with redis(services_directory / "redis-away") as server:
        board = api(server.url())
        token = board.accounts.register("kim", PASSWORD).token
        board.identity(token)
        server.stop()
        for _ in range(20):
            assert board.identity(token).username == "kim"
        board.accounts.log_in("kim", PASSWORD)
        server.start()
        wait_until(lambda: board.identity(token) and _keys(server.url()), 10, "a new copy in Redis")


def kill_at_the_next_statement(database: Database) -> None:
    """End the connection of the next unit of work once it is in use."""

    def kill(used: Connection, *_: object) -> None:
        own = used.connection.driver_connection
        assert own is not None
        number = own.thread_id()
        there = text(f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {number}")
        with database.read() as connection:
            connection.execute(text(f"KILL {number}"))
            wait_until(lambda: not connection.execute(there).scalar_one(), 10, "its end")

    event.listen(database.writes, "before_cursor_execute", kill, once=True)


def test_database_away_is_unavailable_and_comes_back(
    board_database: Database,
) -> None:
    board = Board(board_database)
    token = board.accounts.register("kim", PASSWORD).token
    kill_at_the_next_statement(board_database)
    with pytest.raises(DatabaseUnavailableError):
        board.accounts.log_in("kim", PASSWORD)
    assert board.accounts.log_in("kim", PASSWORD)
    assert board.identity(token)


def test_one_name_registered_by_many_at_once_is_given_once(board_database: Database) -> None:
    board = Board(board_database)

    def register(name: str) -> str:
        try:
            return board.accounts.register(name, PASSWORD).user.username
        except UsernameTakenError:
            return ""

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(register, ["Kim", "kim", "KIM", "ＫＩＭ"] * 4))
    assert len([name for name in given if name]) == 1
    assert len(board.administration.list_users()) == 1


def test_names_with_other_accents_are_other_names(board_database: Database) -> None:
    board = Board(board_database)
    for name in ("resume", "résumé", "Straβe", "하늘", "하는"):
        board.sign_up(name)
    with pytest.raises(UsernameTakenError):
        board.sign_up("RÉSUMÉ")


def test_deleted_account_leaves_its_messages(board_database: Database) -> None:
    board = Board(board_database)
    kim = board.sign_up("kim")
    board.messages.post(kim, "남는 글")
    board.accounts.delete(kim, PASSWORD)
    assert board.messages.page(10).items[0].author.username == "(deleted)"
    assert board.sign_up("kim").user_id != kim.user_id
