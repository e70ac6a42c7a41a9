"""The newest events of one topic, and the cursors a client can still resume from."""

from collections import deque
from collections.abc import Iterable
from itertools import islice


class Ring:
    """Holds up to `capacity` events, oldest out first. Not thread-safe.

    Events are counted by ordinals from 1 on, which belong to this ring alone and never repeat;
    a cursor is the bus's own name of an event and means "everything up to this one was seen".
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: deque[tuple[str, bytes]] = deque()
        self._ordinals: dict[str, int] = {}
        self._floor: str | None = None
        self.newest = 0
        self.cursor = ""

    def add(self, cursor: str, payload: bytes) -> None:
        """Append the newest event."""
        self.newest += 1
        self.cursor = cursor
        self._events.append((cursor, payload))
        self._ordinals[cursor] = self.newest
        if len(self._events) > self._capacity:
            self._floor, _ = self._events.popleft()
            del self._ordinals[self._floor]

    def reset(self, cursor: str, events: Iterable[tuple[str, bytes]] = ()) -> None:
        """Start anew with `events`, of which the last is at `cursor`.

        Without events `cursor` is where the topic stands; with events nothing is known of what
        came before the first.
        """
        self._events.clear()
        self._ordinals.clear()
        self._floor = None
        for name, payload in events:
            self.add(name, payload)
        if not self._events:
            self._floor = cursor
        self.cursor = cursor

    def ordinal_of(self, cursor: str) -> int | None:
        """The ordinal a cursor stands for, or None when events after it are not held any more."""
        if cursor == self._floor:
            return self.newest - len(self._events)
        return self._ordinals.get(cursor)

    def between(self, after: int, until: int) -> list[bytes] | None:
        """The events with ordinals over `after` and up to `until`; None if some are gone."""
        before_first = self.newest - len(self._events)
        if after < before_first:
            return None
        held = islice(self._events, after - before_first, max(0, until - before_first))
        return [payload for _, payload in held]

    def pieces(self, after: int, until: int, length: int) -> list[tuple[str, list[bytes]]] | None:
        """The same events, up to `length` at a time, each time with the cursor of the last."""
        before_first = self.newest - len(self._events)
        if after < before_first:
            return None
        held = list(islice(self._events, after - before_first, max(0, until - before_first)))
        parts = (held[start : start + length] for start in range(0, len(held), length))
        return [(part[-1][0], [payload for _, payload in part]) for part in parts]
