"""Which sessions have streams open, and whether they are still valid."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog
from flask import Request

from madang.errors import UnavailableError
from madang.http.asgi import in_thread
from madang.http.guard import Authenticate, Identity
from madang.live.hub import Subscription

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 2.0
"""With two seconds for a revocation to be known here, streams end within 5 s of their session."""

CHECK_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""How long streams go on while sessions cannot be checked."""

CHECKS_AT_ONCE = 4


ValidSessions = Callable[[Collection[bytes]], set[bytes]]
"""Which of these sessions, by their digests, are valid; raises UnavailableError."""


@dataclass(slots=True)
class _Watched:
    """One session: its streams, and when it was last valid."""

    seen_valid: float
    subscriptions: set[Subscription] = field(default_factory=set)


class SessionWatch:
    """Admits streams, and ends them when their session ends.

    One question for all sessions that have streams, asked outside the event loop, in threads that
    never hold up the end of the process.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        valid_sessions: ValidSessions,
        *,
        recheck_seconds: float = RECHECK_SECONDS,
        check_seconds: float = CHECK_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._authenticate = authenticate
        self._valid_sessions = valid_sessions
        self._recheck_seconds = recheck_seconds
        self._check_seconds = check_seconds
        self._patience_seconds = patience_seconds
        self._watched: dict[bytes, _Watched] = {}
        self._turns = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def identify(self, request: Request) -> Identity | None:
        """Who asks.

        Raises:
            UnavailableError: it cannot be found out at present.
        """
        async with self._turns:
            try:
                async with asyncio.timeout(self._check_seconds):
                    return await in_thread(lambda: self._authenticate(request))
            except TimeoutError:
                raise UnavailableError("Sessions cannot be checked at present") from None

    def watch(self, identity: Identity, subscription: Subscription) -> None:
        """End `subscription` when the session of `identity` ends."""
        now = asyncio.get_running_loop().time()
        watched = self._watched.setdefault(identity.session_digest, _Watched(now))
        watched.subscriptions.add(subscription)

    def forget(self, identity: Identity, subscription: Subscription) -> None:
        """The stream is over."""
        watched = self._watched.get(identity.session_digest)
        if watched is not None:
            watched.subscriptions.discard(subscription)
            if not watched.subscriptions:
                del self._watched[identity.session_digest]

    async def run(self) -> None:
        """Check again and again until cancelled."""
        while True:
            await asyncio.sleep(self._recheck_seconds)
            if self._watched:
                await self.check()

    async def check(self) -> None:
        """Check every watched session once, and end the streams of those that are over."""
        digests = frozenset(self._watched)
        valid = await self._ask(digests)
        now = asyncio.get_running_loop().time()
        for digest in digests & self._watched.keys():
            is_valid = None if valid is None else digest in valid
            self._apply(self._watched[digest], is_valid, now)

    async def _ask(self, digests: Collection[bytes]) -> set[bytes] | None:
        """The valid ones, or None when it cannot be found out at present."""
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that meets the answer.
            async with asyncio.timeout(self._check_seconds):
                return await in_thread(lambda: self._valid_sessions(digests))
        except UnavailableError as error:
            log.warning("sessions_unchecked", reason=error.detail)
        except TimeoutError:
            log.warning("sessions_unchecked", reason="no answer in time")
        return None

    def _apply(self, watched: _Watched, is_valid: bool | None, now: float) -> None:
        if is_valid:
            watched.seen_valid = now
        elif is_valid is not None:
            for subscription in watched.subscriptions:
                subscription.end("session_ended")
        elif now - watched.seen_valid > self._patience_seconds:
            for subscription in watched.subscriptions:
                subscription.end("shutdown")
