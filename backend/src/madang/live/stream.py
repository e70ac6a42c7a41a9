"""One open stream as an ASGI response."""

import asyncio
from collections.abc import Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from madang.live.hub import Subscription


class EventStream(Response):
    """Sends a subscription's frames until it is over, the client leaves, or it is too slow.

    A response of our own, because Starlette's and sse-starlette's wait with a timer a stream and
    event, which at a thousand streams costs more than the sending, and neither lets a client go
    that does not read.
    """

    media_type = "text/event-stream"

    def __init__(
        self, subscription: Subscription, on_close: Callable[[], None], headers: Mapping[str, str]
    ) -> None:
        super().__init__(headers=headers)
        del self.headers["content-length"]
        self._subscription = subscription
        self._on_close = on_close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream."""
        tasks = (
            asyncio.ensure_future(self._send_frames(send)),
            asyncio.ensure_future(_disconnected(receive)),
            self._subscription.cut,
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            self._on_close()

    async def _send_frames(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        more = True
        while more:
            frames = await self._subscription.take()
            more = not self._subscription.over
            await send({"type": "http.response.body", "body": frames, "more_body": more})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
