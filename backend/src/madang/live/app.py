"""`GET /api/live`: the live feature, ready to be served."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flask import Request as FlaskRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from madang.errors import UnauthenticatedError, UnavailableError
from madang.http.asgi import (
    NO_STORE_HEADERS,
    PROBLEM_HANDLERS,
    environ_of,
    health_routes,
)
from madang.http.guard import Authenticate
from madang.http.health import Dependency
from madang.live.bus import EventBus
from madang.live.frames import parse_topics
from madang.live.hub import Hub
from madang.live.sessions import SessionWatch, ValidSessions
from madang.live.stream import EventStream

PATH = "/api/live"

_STREAM_HEADERS = {**NO_STORE_HEADERS, "X-Accel-Buffering": "no"}


class Live:
    """The hub with its source and its sessions.

    `routes` serve while `running()` is entered; `stop()` ends every stream at once, so that the
    server behind it can stop.
    """

    def __init__(
        self,
        bus: EventBus,
        authenticate: Authenticate,
        valid_sessions: ValidSessions,
        *,
        hub: Hub | None = None,
        sessions: SessionWatch | None = None,
    ) -> None:
        self.hub = hub or Hub()
        self.sessions = sessions or SessionWatch(authenticate, valid_sessions)
        self._bus = bus

    @property
    def routes(self) -> list[BaseRoute]:
        """`/api/live`."""
        return [Route(PATH, self._answer, methods=["GET"])]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the bus, ping, and check sessions, inside the block.

        Raises:
            Exception: one of these failed, which ends the block.
        """
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._bus.run(self.hub)),
                group.create_task(self.hub.tend()),
                group.create_task(self.sessions.run()),
            ]
            try:
                yield
            finally:
                self.stop()
                for task in tasks:
                    task.cancel()

    def stop(self) -> None:
        """End every stream with `shutdown` and admit no more."""
        self.hub.close()

    def check(self) -> None:
        """For readiness.

        Raises:
            UnavailableError: new streams are not admitted at present.
        """
        if not self.hub.available:
            raise UnavailableError("Live events are not available at present")

    async def _answer(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(headers=_STREAM_HEADERS, media_type=EventStream.media_type)
        topics = parse_topics(request.query_params.get("topics"))
        identity = await self.sessions.identify(FlaskRequest(environ_of(request)))
        if identity is None:
            raise UnauthenticatedError
        self.check()
        last = request.headers.get("last-event-id") or request.query_params.get("last_event_id")
        subscription = self.hub.subscribe(topics, last)
        self.sessions.watch(identity, subscription)

        def close() -> None:
            self.hub.leave(subscription)
            self.sessions.forget(identity, subscription)

        return EventStream(subscription, close, _STREAM_HEADERS)


def live_app(live: Live, dependencies: Mapping[str, Dependency]) -> Starlette:
    """The application of `madang live`: the stream and its probes."""
    return Starlette(
        routes=[*live.routes, *health_routes(dependencies)],
        exception_handlers=PROBLEM_HANDLERS,
    )
