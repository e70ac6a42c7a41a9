"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from tests.services.errors import ServiceError

Answer = TypeVar("Answer")

_POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], Answer | None], seconds: float, what: str) -> Answer:
    """Ask until the answer is true, and return it.

    Raises:
        ServiceError: it was not within the time; the message names `what`.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise ServiceError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(_POLL_SECONDS)
    return answer
