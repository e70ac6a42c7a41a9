"""Questions about the call log."""

import re
from uuid import UUID

from madang.calls import history
from madang.calls.event import CallEvent
from madang.calls.history import Filters
from madang.calls.recent import RecentCalls
from madang.db.engine import Database
from madang.errors import NotFoundError, ValidationFailedError
from madang.http.paging import decode_cursor, encode_cursor

CURSOR_KIND = "calls"
_STATUS = re.compile(r"([1-5])(\d\d|xx)")


class CallLogService:
    """The newest calls from the live store, and the lasting ones from history."""

    def __init__(self, database: Database, recent: RecentCalls) -> None:
        self._database = database
        self._recent = recent

    @property
    def live_source(self) -> str:
        """Where the newest calls are held: `redis` or `memory`."""
        return self._recent.source

    def newest(self, limit: int) -> list[CallEvent]:
        """What the live store holds, newest first.

        Raises:
            RedisUnavailableError: the live store does not answer.
        """
        return self._recent.newest(limit)

    def page(
        self, filters: Filters, *, cursor: str | None, limit: int
    ) -> tuple[list[CallEvent], str | None]:
        """One page of history, newest first, and the cursor of the next.

        Raises:
            ValidationFailedError: the cursor is not one of this list.
            DatabaseUnavailableError: the database does not answer.
        """
        before = None if cursor is None else _call_id_of(cursor)
        with self._database.read() as connection:
            calls = history.page(connection, filters, before=before, limit=limit + 1)
        if len(calls) <= limit:
            return calls, None
        return calls[:limit], encode_cursor(CURSOR_KIND, calls[limit - 1].id.hex)

    def find(self, call_id: UUID) -> CallEvent:
        """One call.

        Raises:
            NotFoundError: it is not in history, or not yet.
        """
        with self._database.read() as connection:
            call = history.find(connection, call_id)
        if call is None:
            raise NotFoundError("This call is not in history; a new one takes up to a second")
        return call


def status_range(text: str | None) -> tuple[int | None, int | None]:
    """The lowest and highest status of `404` or `4xx`.

    Raises:
        ValidationFailedError: it is neither.
    """
    if text is None:
        return None, None
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValidationFailedError.of(
            "status", "must be a code such as 404 or a class such as 4xx"
        )
    if match[2] == "xx":
        return int(match[1]) * 100, int(match[1]) * 100 + 99
    return int(text), int(text)


def _call_id_of(cursor: str) -> UUID:
    try:
        return UUID(hex=decode_cursor(CURSOR_KIND, cursor, str))
    except ValueError:
        raise ValidationFailedError.of("cursor", "is not a cursor of this list") from None
