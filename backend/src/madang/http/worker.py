"""What runs in each of Granian's worker processes before and after it serves."""

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from importlib import import_module
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from madang.errors import ConfigurationError, MadangError
from madang.http.body import with_measured_bodies
from madang.signals import STOP_SIGNALS, at_stop_signal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_PR_SET_PDEATHSIG = 1
_AGAIN_SECONDS = 0.5


def load_worker(target: str) -> "WSGIApplication":
    """Make the application in a fresh worker; what a person can mend ends it with one line.

    Args:
        target: `package.module:function`; the function takes nothing and gives the application.
    """
    die_with_parent()
    _repeat_signals()
    module, _, name = target.partition(":")
    factory: Callable[[], WSGIApplication] = getattr(import_module(module), name)
    try:
        return with_measured_bodies(factory())
    except MadangError as error:
        raise SystemExit(f"Error: {error.detail}") from None


def let_workers_be_stopped() -> None:
    """For the supervisor: a worker that is still starting ends at once when told to.

    It inherits the supervisor's handlers, which would swallow the signal until it has its own; so
    from the fork on it has the default ones, and what arrives before that waits.
    """
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS),
        after_in_parent=_unblock_signals,
        after_in_child=_reset_signals,
    )


def _repeat_signals() -> None:
    """For a worker: a signal to stop is raised once more, half a second after it came.

    Its main thread waits for the end in C. What comes just before it begins to wait is noted and
    does not wake it, so it would serve on until it is killed; the second changes nothing else.
    """
    main = threading.get_ident()

    def raise_again(number: int) -> None:
        time.sleep(_AGAIN_SECONDS)
        signal.pthread_kill(main, number)

    at_stop_signal(raise_again)


def _reset_signals() -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _unblock_signals()


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


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


def at_worker_end(hook: Callable[[], object]) -> None:
    """Call `hook` when this worker ends by a signal, after its last answer has left.

    A worker's end runs no `atexit` functions. Hooks run last in, first out; none runs when the
    worker is killed.
    """
    Finalize(None, hook, exitpriority=1)
