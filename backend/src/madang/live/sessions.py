"""Which sessions have streams open, and whether they are still valid."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import structlog
from flask import Request

from madang.errors import MadangError, UnavailableError
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


class Verdict(Enum):
    """What a check found."""

    valid = "valid"
    ended = "ended"
    unknown = "unknown"


@dataclass(slots=True)
class _Watched:
    """One session: the request that proves it, its streams, and when it was last valid."""

    request: Request
    seen_valid: float
    subscriptions: set[Subscription] = field(default_factory=set)


class SessionWatch:
    """Admits streams, and ends them when their session ends.

    One check a session, however many streams it has, and all checks of a round in one go outside
    the event loop, in threads that never hold up the end of the process.
    """

    def __init__(
        self,
        authenticate: Authenticate,
        *,
        recheck_seconds: float = RECHECK_SECONDS,
        check_seconds: float = CHECK_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._authenticate = authenticate
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
                return await asyncio.wait_for(
                    in_thread(lambda: self._authenticate(request)), self._check_seconds
                )
            except TimeoutError:
                raise UnavailableError("Sessions cannot be checked at present") from None

    def watch(self, identity: Identity, request: Request, subscription: Subscription) -> None:
        """End `subscription` when the session that `request` carries ends."""
        now = asyncio.get_running_loop().time()
        watched = self._watched.setdefault(identity.session_digest, _Watched(request, now))
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
        requests = {digest: watched.request for digest, watched in self._watched.items()}
        try:
            verdicts: Mapping[bytes, Verdict] = await asyncio.wait_for(
                in_thread(lambda: self._verdicts(requests)), self._check_seconds
            )
        except TimeoutError:
            verdicts = {}
        now = asyncio.get_running_loop().time()
        for digest in requests:
            watched = self._watched.get(digest)
            if watched is not None:
                self._apply(watched, verdicts.get(digest, Verdict.unknown), now)

    def _apply(self, watched: _Watched, verdict: Verdict, now: float) -> None:
        if verdict is Verdict.valid:
            watched.seen_valid = now
        elif verdict is Verdict.ended:
            for subscription in watched.subscriptions:
                subscription.end("session_ended")
        elif now - watched.seen_valid > self._patience_seconds:
            for subscription in watched.subscriptions:
                subscription.end("shutdown")

    def _verdicts(self, requests: Mapping[bytes, Request]) -> dict[bytes, Verdict]:
        verdicts: dict[bytes, Verdict] = {}
        for digest, request in requests.items():
            try:
                identity = self._authenticate(request)
            except UnavailableError as error:
                log.warning("sessions_unchecked", reason=error.detail)
                break
            except MadangError:
                identity = None
            verdicts[digest] = Verdict.ended if identity is None else Verdict.valid
        return verdicts
