"""Noticing that messages wait and nobody records them."""

import time
from collections.abc import Callable, Mapping

LOOK_SECONDS = 15.0
"""Longer than the brokers take to give a dead recorder's partitions to another."""
LONGEST_SECONDS = 300.0


class Standstill:
    """Compares two looks at what waits, while this recorder records nothing.

    A recorder without partitions cannot tell another's long transaction from a standstill. So each
    that is found lengthens the time to the next look, until this recorder has recorded again.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pause = LOOK_SECONDS
        self.begin()

    def begin(self) -> None:
        """Forget the last look: there is a new client, or it was given partitions."""
        self._waiting: Mapping[int, int] = {}
        self._looked_at = self._monotonic()

    def progressed(self) -> None:
        """Note that this recorder has recorded something."""
        self._pause = LOOK_SECONDS
        self._looked_at = self._monotonic()

    def found(self, waiting: Callable[[], Mapping[int, int]]) -> Mapping[int, int]:
        """The next offset to record of each partition where nobody has moved it for two looks.

        `waiting` tells those of all partitions that hold what is not recorded; it is asked only
        when it is time to look, and what it raises is raised.
        """
        now = self._monotonic()
        if now - self._looked_at < self._pause:
            return {}
        self._looked_at = now
        before, self._waiting = self._waiting, waiting()
        unmoved = dict(before.items() & self._waiting.items())
        if unmoved:
            self._pause = min(2 * self._pause, LONGEST_SECONDS)
        return unmoved
