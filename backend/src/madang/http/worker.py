"""What runs in each of Granian's worker processes before and after it serves."""

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable
from importlib import import_module
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from madang.errors import ConfigurationError, MadangError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DRAINED_BYTES = 8 * 1024 * 1024
_DRAINED_AT_ONCE = 64 * 1024
_TOO_LARGE = "413"
_PR_SET_PDEATHSIG = 1


def load_worker(target: str) -> "WSGIApplication":
    """Make the application in a fresh worker; what a person can mend ends it with one line.

    Args:
        target: `package.module:function`; the function takes nothing and gives the application.
    """
    die_with_parent()
    # Until the server sets its own, the supervisor's handlers are inherited and swallow signals.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    module, _, name = target.partition(":")
    factory: Callable[[], WSGIApplication] = getattr(import_module(module), name)
    try:
        return drain_refused_bodies(factory())
    except MadangError as error:
        raise SystemExit(f"Error: {error.detail}") from None


def die_with_parent() -> None:
    """Ask the kernel to kill this process the moment its supervisor dies.

    Raises:
        ConfigurationError: the kernel does not do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise ConfigurationError(f"prctl failed: {os.strerror(ctypes.get_errno())}")
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:
        # It died before the request was made, so the kernel will not tell.
        os.kill(os.getpid(), signal.SIGKILL)


def at_worker_end(hook: Callable[[], None]) -> None:
    """Call `hook` when this worker ends by a signal, after its last answer has left.

    A worker's end runs no `atexit` functions. Hooks run last in, first out; none runs when the
    worker is killed.
    """
    Finalize(None, hook, exitpriority=1)


def drain_refused_bodies(application: "WSGIApplication") -> "WSGIApplication":
    """Read on when a body is refused as too large.

    The server closes a connection whose request was not read to its end, and a client that is
    still sending then sees a broken pipe in place of the answer. Up to DRAINED_BYTES are read.
    """

    def drained(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        refused = False

        def watch(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal refused
            refused = status.startswith(_TOO_LARGE)
            return start_response(status, headers, *rest)

        chunks = application(environ, watch)
        if refused:
            body, left = environ["wsgi.input"], DRAINED_BYTES
            while left > 0 and (read := len(body.read(_DRAINED_AT_ONCE))):
                left -= read
        return chunks

    return drained
