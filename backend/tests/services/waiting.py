"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.services.errors import ServiceError

Answer = TypeVar("Answer")

_POLL_SECONDS = 0.01
_LONGEST_POLL_SECONDS = 0.25


def wait_until(condition: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """Ask until the answer is true, and return it; less and less often, as asking takes time, too.

    Raises:
        ServiceError: it was not within the time; the message names `what`.
    """
    begin = time.monotonic()
    while not (answer := condition()):
        waited = time.monotonic() - begin
        if waited > seconds:
            raise ServiceError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(min(max(waited / 50, _POLL_SECONDS), _LONGEST_POLL_SECONDS))
    return answer


def or_none(condition: Callable[[], Answer]) -> Callable[[], Answer | None]:
    """A condition that may fail where a service is asked that comes and goes: not yet."""

    def asked() -> Answer | None:
        try:
            return condition()
        except ServiceError:
            return None

    return asked
