"""Sessions: tokens, cached copies of who holds them, and the watch that distrusts the copies."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from madang.accounts import store
from madang.cache import CacheRedis
from madang.db.engine import Database
from madang.http.guard import Identity, Role

log = structlog.get_logger(__name__)

LONGEST_TOKEN = 128
COPY_SECONDS = 60
POLL_SECONDS = 2.0
TRUSTED_SECONDS = 4.5
"""How old the watch's last look may be for copies to be trusted: within the promised 5 s."""
DISTRUST_SECONDS = 2 * COPY_SECONDS
"""How long a revocation matters: by then every copy from before it has expired."""
LOOK_BACK = 200
"""Numbers are given before commits, so a lower one may appear after a higher one."""
FIRST_LOOK_BACK = 10_000


def new_token() -> str:
    """A fresh session token: 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def token_digest(secret_key: bytes, token: str) -> bytes:
    """What is stored of a token: 32 bytes of HMAC-SHA256, useless without the key."""
    return hmac.digest(secret_key, token.encode(), hashlib.sha256)


class CachedSession(msgspec.Struct, frozen=True):
    """A copy of what a session's rows said."""

    identity: Identity
    expires_at: datetime


class SessionCache(Protocol):
    """Copies of session rows. A copy that may be wrong is not given: SQL is asked instead."""

    def get(self, digest: bytes) -> CachedSession | None:
        """The copy, if there is one that can be trusted."""

    def put(self, copy: CachedSession) -> None:
        """Keep a copy for a minute."""

    def forget(self, digests: Sequence[bytes]) -> None:
        """Drop these copies."""


class NoSessionCache:
    """For the embedded mode, where the rows are in the same process."""

    def get(self, digest: bytes) -> CachedSession | None:
        """Nothing."""
        return None

    def put(self, copy: CachedSession) -> None:
        """Keep nothing."""

    def forget(self, digests: Sequence[bytes]) -> None:
        """Drop nothing."""


class RevocationWatch:
    """Knows which cached copies are no longer true, from rows that it polls.

    Between `start` and `stop` a thread looks every two seconds. A copy is trusted only while the
    last look is recent and found nothing against it, so a revocation made by any process counts
    here within 5 s whatever Redis holds, and a database that cannot be asked ends all trust.
    """

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._looked_at: float | None = None
        self._newest = 0
        self._known: frozenset[int] = frozenset()
        self._distrusted: dict[bytes | int, float] = {}
        self._failing = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look once and go on looking in a thread; once a process."""
        self._thread = threading.Thread(target=self._run, name="revocations", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=POLL_SECONDS)

    def is_current(self) -> bool:
        """Whether the last look is recent enough to trust any copy at all."""
        looked_at = self._looked_at
        return looked_at is not None and self._monotonic() - looked_at <= TRUSTED_SECONDS

    def trusts(self, digest: bytes, user_id: int) -> bool:
        """Whether a copy of this session of this user may be believed."""
        distrusted = self._distrusted
        return self.is_current() and digest not in distrusted and user_id not in distrusted

    def look(self) -> None:
        """Read the revocations that are new.

        Raises:
            MadangError: the database does not answer.
        """
        began = self._monotonic()
        with self._database.read() as connection:
            if self._looked_at is None:
                self._newest = max(store.newest_revocation(connection) - FIRST_LOOK_BACK, 0)
            rows = store.revocations_after(connection, self._newest - LOOK_BACK)
        current = {subject: until for subject, until in self._distrusted.items() if until > began}
        for number, digest, user_id in rows:
            if number not in self._known:
                current.update({s: began + DISTRUST_SECONDS for s in (digest, user_id) if s})
        if rows:
            self._newest = rows[-1][0]
        self._known = frozenset(number for number, _, _ in rows)
        self._distrusted = current
        self._looked_at = began

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.look()
                self._failing = False
            except Exception as error:  # without this thread no copy is ever trusted
                if not self._failing:
                    log.warning("revocations_unread", reason=str(error))
                self._failing = True
            self._ending.wait(POLL_SECONDS)


class RedisSessionCache:
    """Copies in Redis, believed only as far as the watch allows."""

    def __init__(self, redis: CacheRedis, watch: RevocationWatch) -> None:
        self._redis = redis
        self._watch = watch

    def get(self, digest: bytes) -> CachedSession | None:
        """The copy, if Redis holds one and the watch trusts it."""
        if not self._watch.is_current():
            return None
        found = self._redis.ask(lambda redis: redis.get(_key(digest)), None)
        if not isinstance(found, bytes):
            return None
        try:
            copy = _from_json(digest, found)
        except (msgspec.MsgspecError, ValueError):
            return None
        return copy if self._watch.trusts(digest, copy.identity.user_id) else None

    def put(self, copy: CachedSession) -> None:
        """Keep a copy for a minute."""
        key, value = _key(copy.identity.session_digest), _to_json(copy)
        self._redis.ask(lambda redis: redis.set(key, value, ex=COPY_SECONDS), None)

    def forget(self, digests: Sequence[bytes]) -> None:
        """Drop these copies."""
        if digests:
            keys = [_key(digest) for digest in digests]
            self._redis.ask(lambda redis: redis.delete(*keys), None)


class _Stored(msgspec.Struct, frozen=True):
    user_id: int
    username: str
    display_name: str
    role: int
    expires_at: datetime


_decoder = msgspec.json.Decoder(_Stored)
_encoder = msgspec.json.Encoder()


def _key(digest: bytes) -> str:
    return f"madang:session:{digest.hex()}"


def _to_json(copy: CachedSession) -> bytes:
    who = copy.identity
    return _encoder.encode(
        _Stored(who.user_id, who.username, who.display_name, int(who.role), copy.expires_at)
    )


def _from_json(digest: bytes, value: bytes) -> CachedSession:
    found = _decoder.decode(value)
    identity = Identity(found.user_id, found.username, found.display_name, Role(found.role), digest)
    return CachedSession(identity, found.expires_at)
