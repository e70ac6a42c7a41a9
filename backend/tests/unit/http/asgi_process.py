"""A process that serves an endless stream and a slow answer by `serve_asgi`; run with a port."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive, Scope, Send

from madang.errors import MadangError
from madang.http.server import serve_asgi

stopping = asyncio.Event()
deaf = "--deaf" in sys.argv


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
        await (asyncio.Event() if deaf else stopping).wait()
    await send({"type": "http.response.body", "body": b"end\n"})


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    print("begun", flush=True)  # noqa: T201
    yield
    print("ended", flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        serve_asgi(
            app,
            sys.argv[1],
            int(sys.argv[2]),
            on_stop=stopping.set,
            on_ready=lambda port: print(f"ready on {port}", flush=True),  # noqa: T201
            lifespan=lifespan,
        )
    except MadangError as error:
        sys.exit(error.detail)
