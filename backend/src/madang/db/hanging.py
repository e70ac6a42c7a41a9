"""A database that hangs must not take every thread that asks it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from madang.errors import DatabaseUnavailableError

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0


class HangGuard:
    """A circuit breaker for timeouts alone.

    Once a question was not answered in time, nothing is asked for a second; then one caller tries
    while the others are refused at once. So threads stay free for what needs no database, probes
    first of all.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hangs = False
        self._retry_at = 0.0

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around whatever asks the database.

        Raises:
            DatabaseUnavailableError: it hung a moment ago, or somebody is finding out.
        """
        is_trial = self._hangs and self._begin_trial()
        try:
            yield
        except BaseException as error:
            # A trial for which no connection was free has found out nothing.
            if _is_timeout(error) or (is_trial and isinstance(error, PoolTimeoutError)):
                self._note_hang(is_trial)
            elif is_trial:
                self._note_answer()
            raise
        if self._hangs:
            self._note_answer()

    def _begin_trial(self) -> bool:
        with self._lock:
            if not self._hangs:
                return False
            if self._monotonic() < self._retry_at:
                raise DatabaseUnavailableError("The database does not answer in time")
            self._retry_at = math.inf
            return True

    def _note_hang(self, is_trial: bool) -> None:
        with self._lock:
            if self._hangs and not is_trial:
                return  # asked before the others were told; a trial may be on its way
            if not self._hangs:
                log.warning("database_hangs")
            self._hangs, self._retry_at = True, self._monotonic() + PAUSE_SECONDS

    def _note_answer(self) -> None:
        with self._lock:
            if self._hangs:
                log.info("database_back")
            self._hangs = False


def _is_timeout(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.orig is not None and tells_timeout(error.orig)


def tells_timeout(error: BaseException) -> bool:
    """Whether a driver's error means that no answer came in time.

    PyMySQL tells a timeout as a lost connection, with the timeout as its context.
    """
    return isinstance(error.__context__, TimeoutError)
