"""Serving: uvicorn within this process for ASGI, Granian's worker processes for WSGI."""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

import uvicorn
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from starlette.types import ASGIApp

from madang.errors import ConfigurationError
from madang.http.worker import let_workers_be_stopped, load_worker
from madang.signals import SignalEvent
from madang.telemetry import granian_logging

GRACE_SECONDS = 1
WORKER_GRACE_SECONDS = 10
UNREAD_MILLISECONDS = 20_000
"""How long a peer may leave data unacknowledged or its window shut before it is dropped."""

BACKLOG = 1024

OPEN_CONNECTIONS = 512
"""Of each worker. Idle ones count, so this must be far above the number of threads."""

_CANNOT_BIND = {
    errno.EADDRINUSE: "Port {port} on {host} is in use",
    errno.EACCES: "Port {port} on {host} needs privileges that this user does not have",
    errno.EADDRNOTAVAIL: "{host} is not an address of this machine",
}


def bind(host: str, port: int) -> socket.socket:
    """Take a TCP port for this process alone.

    Raises:
        ConfigurationError: it is in use, or cannot be had; one line that says which.
    """
    family, address = _resolve(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
        listener.bind(address)
        # Two sockets may be bound to one port until one of them listens.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        text = _CANNOT_BIND.get(error.errno or 0, "Port {port} on {host} cannot be used: {error}")
        reason = os.strerror(error.errno or 0)
        raise ConfigurationError(text.format(host=host, port=port, error=reason)) from None
    return listener


def _resolve(host: str, port: int) -> tuple[int, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(f"{host} is not a host name or address") from None
    family, _, _, _, address = found[0]
    return family, address


def serve_asgi(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    on_stop: Callable[[], None],
    on_ready: Callable[[int], None] | None = None,
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> None:
    """Serve `app` in this process until SIGINT or SIGTERM.

    The first signal calls `on_stop` in the event loop, which must end all endless answers; then
    requests get `GRACE_SECONDS` to finish. A second SIGINT ends the process on the spot.

    Args:
        app: the application; it gets no lifespan events.
        host: name or address to listen on.
        port: 0 means any free one.
        on_stop: called once, in the event loop.
        on_ready: called with the port once connections are accepted.
        lifespan: entered around serving, in the same event loop.

    Raises:
        ConfigurationError: the port cannot be had; one line that says why.
    """
    listener = bind(host, port)
    tell = None if on_ready is None else partial(on_ready, listener.getsockname()[1])
    config = _uvicorn_config(app)
    server = _Server(config, tell)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, listener, on_stop, lifespan))


@contextlib.contextmanager
def serving_beside(app: ASGIApp, host: str, port: int) -> Iterator[None]:
    """Serve `app` from a thread of its own inside the block: the probes of a process.

    Raises:
        ConfigurationError: the port cannot be had; one line that says why.
    """
    listener = bind(host, port)
    config = _uvicorn_config(app)
    server = _Server(config, None)

    def serve() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve, name="probes", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(2 * GRACE_SECONDS)


def _uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        lifespan="off",
        interface="asgi3",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return config


def serve_wsgi(
    target: str,
    host: str,
    port: int,
    *,
    workers: int,
    threads: int,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve a WSGI application in worker processes until SIGINT or SIGTERM.

    Then no connection is accepted any more, requests get `WORKER_GRACE_SECONDS` to finish, and
    `at_worker_end` hooks run. A worker that crashes is replaced; one that crashes again within
    seconds ends everything. Workers die with this process however it ends.

    Args:
        target: `package.module:function`, called in each worker without arguments.
        host: name or address to listen on.
        port: not 0, for every worker listens on it by itself.
        workers: processes.
        threads: requests answered at once in each.
        on_ready: called once the port is known to be free, before the workers start.

    Raises:
        ConfigurationError: the port cannot be had; one line that says why.
        SystemExit: the workers could not be kept running.
    """
    with bind(host, port) as probe:
        address = probe.getsockname()[0]
    server = Granian(
        target,
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=workers,
        blocking_threads=threads,
        backlog=BACKLOG,
        backpressure=OPEN_CONNECTIONS,
        workers_kill_timeout=WORKER_GRACE_SECONDS,
        respawn_failed_workers=True,
        log_level=LogLevels.error,
        log_dictconfig=granian_logging(),
    )
    if on_ready is not None:
        server.on_startup(on_ready)
    let_workers_be_stopped()
    server.main_loop_interrupt = SignalEvent()
    server.serve(target_loader=partial(load_worker, target), wrap_loader=False)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would raise the signal again at the end."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_ready is not None:
            self._on_ready()


async def _serve(
    server: _Server,
    listener: socket.socket,
    on_stop: Callable[[], None],
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
) -> None:
    def stop(number: int) -> None:
        if server.should_exit:
            if number == signal.SIGINT:
                os._exit(128 + number)
            return
        server.should_exit = True
        on_stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    async with lifespan():
        await server.serve(sockets=[listener])


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn's line tells of more than a stream that was ended on purpose."""
    cancelled = record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cancelled and "without completing response" not in record.getMessage()
