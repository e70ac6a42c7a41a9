"""Cached sessions, and the watch that distrusts them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from redis import Redis
from sqlalchemy import text

from madang.accounts import store
from madang.accounts.sessions import (
    DISTRUST_SECONDS,
    TRUSTED_SECONDS,
    CachedSession,
    RedisSessionCache,
    RevocationWatch,
    new_token,
    token_digest,
)
from madang.cache import CacheRedis
from madang.db.engine import Database
from madang.errors import DatabaseUnavailableError
from madang.http.guard import Identity, Role
from tests.board import Board

NOON = datetime(2030, 5, 17, 12, tzinfo=UTC)
DIGEST = b"d" * 32


@dataclass
class Watched:
    """A watch over a database, with a clock the test turns."""

    database: Database
    now: float = 0.0
    watch: RevocationWatch = field(init=False)

    def __post_init__(self) -> None:
        """Make the watch."""
        self.watch = RevocationWatch(self.database, lambda: self.now)

    def revoke(self, *digests: bytes) -> None:
        """As another process does."""
        with self.database.write() as connection:
            store.revoke_sessions(connection, digests, NOON)


class DictRedis(Redis):
    """The three commands that the cache uses, over a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:  # type: ignore[override]  # bytes only
        """GET."""
        return self.values.get(name)

    def set(self, name: str, value: bytes, **_: object) -> bool:  # type: ignore[override]  # bytes only
        """SET."""
        self.values[name] = value
        return True

    def delete(self, *names: str) -> int:  # type: ignore[override]  # text only
        """DEL."""
        return sum(self.values.pop(name, None) is not None for name in names)


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database)


def _copy() -> CachedSession:
    return CachedSession(Identity(7, "하늘", "하늘이", Role.moderator, DIGEST), NOON)


def test_token_is_long_and_its_digest_depends_on_the_key() -> None:
    token = new_token()
    assert len(token) >= 43
    assert token != new_token()
    assert len(token_digest(b"a", token)) == 32
    assert token_digest(b"a", token) != token_digest(b"b", token)


def test_watch_before_the_first_look_trusts_nothing(watched: Watched) -> None:
    assert not watched.watch.trusts(DIGEST, 7)


def test_watch_after_a_look_trusts_what_was_not_revoked(watched: Watched) -> None:
    watched.watch.look()
    assert watched.watch.trusts(DIGEST, 7)


def test_watch_finds_a_revoked_session(watched: Watched) -> None:
    watched.watch.look()
    watched.revoke(DIGEST)
    watched.watch.look()
    assert not watched.watch.trusts(DIGEST, 7)
    assert watched.watch.trusts(b"o" * 32, 7)


def test_watch_finds_what_was_revoked_before_it_began(watched: Watched) -> None:
    watched.revoke(DIGEST)
    watched.watch.look()
    assert not watched.watch.trusts(DIGEST, 7)


def test_watch_finds_a_revoked_user(watched: Watched, board: Board) -> None:
    who = board.sign_up("someone")
    watched.watch.look()
    board.administration.set_role("someone", Role.moderator)
    watched.watch.look()
    assert not watched.watch.trusts(who.session_digest, who.user_id)


def test_watch_that_has_not_looked_lately_trusts_nothing(watched: Watched) -> None:
    watched.watch.look()
    watched.now = TRUSTED_SECONDS + 0.1
    assert not watched.watch.trusts(DIGEST, 7)
    watched.watch.look()
    assert watched.watch.trusts(DIGEST, 7)


def test_watch_forgets_a_revocation_when_every_copy_has_expired(watched: Watched) -> None:
    watched.revoke(DIGEST)
    watched.watch.look()
    watched.now = DISTRUST_SECONDS + 1
    watched.watch.look()
    assert watched.watch.trusts(DIGEST, 7)


def test_watch_finds_a_lower_number_that_commits_late(watched: Watched) -> None:
    watched.revoke(b"1" * 32, b"2" * 32)
    with watched.database.write() as connection:
        connection.execute(text("DELETE FROM revocations WHERE id = 1"))
    watched.watch.look()
    with watched.database.write() as connection:
        connection.execute(
            text("INSERT INTO revocations (id, session_digest, at) VALUES (1, :digest, :at)"),
            {"digest": DIGEST, "at": "2030-05-17 12:00:00.000000"},
        )
    watched.watch.look()
    assert not watched.watch.trusts(DIGEST, 7)


def test_watch_that_cannot_look_says_so_and_ends_its_trust(watched: Watched) -> None:
    watched.watch.look()
    with watched.database.write() as connection:
        connection.execute(text("DROP TABLE revocations"))
    watched.now = TRUSTED_SECONDS + 1
    with pytest.raises(Exception, match="revocations"):
        watched.watch.look()
    assert not watched.watch.is_current()


def test_watch_thread_survives_a_database_that_is_away() -> None:
    watch = RevocationWatch(Database("sqlite:////nowhere/at/all.db"))
    with pytest.raises(DatabaseUnavailableError):
        watch.look()
    watch.start()
    watch.stop()
    assert not watch.is_current()


def test_redis_cache_gives_back_what_it_was_given(watched: Watched) -> None:
    watched.watch.look()
    cache = RedisSessionCache(CacheRedis(DictRedis()), watched.watch)
    cache.put(_copy())
    assert cache.get(DIGEST) == _copy()
    cache.forget([DIGEST])
    assert cache.get(DIGEST) is None


def test_redis_cache_gives_nothing_the_watch_distrusts(watched: Watched) -> None:
    watched.watch.look()
    cache = RedisSessionCache(CacheRedis(DictRedis()), watched.watch)
    cache.put(_copy())
    watched.revoke(DIGEST)
    watched.watch.look()
    assert cache.get(DIGEST) is None


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b'{"role":9}', b"\xff"])
def test_redis_cache_garbage_is_a_miss(watched: Watched, value: bytes) -> None:
    watched.watch.look()
    redis = DictRedis()
    redis.values[f"madang:session:{DIGEST.hex()}"] = value
    assert RedisSessionCache(CacheRedis(redis), watched.watch).get(DIGEST) is None


def test_redis_cache_holds_no_token(watched: Watched) -> None:
    redis = DictRedis()
    RedisSessionCache(CacheRedis(redis), watched.watch).put(_copy())
    assert list(redis.values) == [f"madang:session:{DIGEST.hex()}"]
