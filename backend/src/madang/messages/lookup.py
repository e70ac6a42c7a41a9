"""Finding messages: first the newest rows, and only for what is rare the index.

A very common word makes the index slow where a look at the newest rows is quick, and a rare one
the reverse. So a bounded number of the newest rows is scanned first; what fills the page from
there is common, and the index is not asked at all.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from madang.messages import store
from madang.messages.search import Query
from madang.messages.store import Range

MOST_COUNTED = 1_000
ROWS_SCANNED = 20_000
INDEX_ROUNDS = 3
"""How often the index is asked on when the texts themselves refuse what it offered."""

_CANDIDATES = MOST_COUNTED + 1


@dataclass(frozen=True, slots=True)
class Hits:
    """Numbers of messages that match, newest first, and how far the search went.

    `rest_below` is where hits may still be, None when there are no more.
    """

    numbers: list[int]
    rest_below: int | None

    @property
    def total(self) -> tuple[int, bool]:
        """How many hits there are, and whether there are not more."""
        found = len(self.numbers)
        return min(found, MOST_COUNTED), self.rest_below is None and found <= MOST_COUNTED


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits."""

    numbers: list[int]
    next_before: int | None
    total: int
    total_exact: bool


def look_up(connection: Connection, query: Query, part: Range, limit: int) -> Found:
    """One page of the messages in `part` that match `query`, newest first."""
    page, rare = _hits(connection, query, part, limit)
    whole = page
    if part.before is not None:
        whole, _ = _hits(connection, query, replace(part, before=None), limit, rare=rare)
    total, exact = whole.total
    if len(page.numbers) > limit:
        numbers = page.numbers[:limit]
        return Found(numbers, numbers[-1], total, exact)
    return Found(page.numbers, page.rest_below, total, exact)


def _hits(
    connection: Connection, query: Query, part: Range, limit: int, *, rare: bool = False
) -> tuple[Hits, bool]:
    """Hits of the scan, or of the index where they do not fill the page; and which it was."""
    scanned = _scan(connection, query, part)
    fills_page = len(scanned.numbers) > limit and not rare
    if fills_page or scanned.rest_below is None or not query.terms:
        return scanned, False
    return _ask_index(connection, query, part, limit), True


def _scan(connection: Connection, query: Query, part: Range) -> Hits:
    top = part.before
    if top is None:
        top = store.newest_number(connection) + 1
    floor = max(top - ROWS_SCANNED, 0)
    seen = store.scan(connection, query, replace(part, before=top, floor=floor), _CANDIDATES)
    return _verified(query.matches, seen, floor if floor > 0 else None)


def _ask_index(connection: Connection, query: Query, part: Range, limit: int) -> Hits:
    numbers: list[int] = []
    before = part.before
    for _ in range(INDEX_ROUNDS):
        offered = store.ask_index(connection, query, replace(part, before=before), _CANDIDATES)
        hits = _verified(query.matches, offered, None)
        numbers += hits.numbers
        before = hits.rest_below
        if before is None or len(numbers) > limit:
            break
    return Hits(numbers, before)


def _verified(
    matches: Callable[[str], bool], candidates: list[tuple[int, str]], rest_below: int | None
) -> Hits:
    numbers = [number for number, body in candidates if matches(body)]
    if len(candidates) == _CANDIDATES:
        rest_below = candidates[-1][0]
    return Hits(numbers, rest_below)
