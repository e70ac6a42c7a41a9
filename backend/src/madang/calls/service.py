"""Questions about the call log."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from madang.calls import history, kinds, statistics
from madang.calls.event import CallEvent, RecordedCall
from madang.calls.history import Filters
from madang.calls.kinds import ALL_KINDS
from madang.calls.recent import RecentCalls
from madang.calls.series import Series, series_of, user_series_of
from madang.calls.statistics import By, Period
from madang.calls.tallies import HOUR_SECONDS, MINUTE_SECONDS, MINUTES_KEPT
from madang.clock import Clock, rfc3339
from madang.db.engine import Database
from madang.errors import NotFoundError, ValidationFailedError
from madang.http.paging import decode_cursor, encode_cursor

CURSOR_KIND = "calls"
DEFAULT_PERIOD = timedelta(days=1)
MOST_POINTS = 2000
FITTING_POINTS = 300
STEPS_SECONDS = (60, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
_STATUS = re.compile(r"([1-5])(\d\d|xx)")


class CallSeries(msgspec.Struct, frozen=True, kw_only=True):
    """Statistics of a period: its series with the most calls, and how many more there are."""

    begin: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    step_seconds: int
    by: By | None
    series: list[Series]
    omitted: int


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
    ) -> tuple[list[RecordedCall], str | None]:
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

    def find(self, call_id: UUID) -> RecordedCall:
        """One call.

        Raises:
            NotFoundError: it is not in history, or not yet.
        """
        with self._database.read() as connection:
            call = history.find(connection, call_id)
        if call is None:
            raise NotFoundError("This call is not in history; a new one takes up to a second")
        return call


class StatisticsService:
    """Statistics of calls over a period, by step."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def calls(
        self,
        begin: datetime | None,
        end: datetime | None,
        step_seconds: int | None,
        by: By | None,
        most: int,
    ) -> CallSeries:
        """Calls from `begin` (a day before `end` if None) to `end` (now if None).

        Both are widened to whole minutes or hours, whichever rows are read: those by hour where
        the step is hours, those by minute else. Without a step, one that gives up to 300 points.

        Raises:
            ValidationFailedError: the period or the step cannot be answered; the field is named.
            DatabaseUnavailableError: the database does not answer.
        """
        now = self._clock()
        last = end or now
        first = begin or last - DEFAULT_PERIOD
        period = period_of(first, last, step_seconds, now, by_hour=by == "user")
        starts = [
            rfc3339(_moment(start))
            for start in range(period.begin, period.end, period.slot_seconds)
        ]
        if by == "user":
            with self._database.read() as connection:
                users, count = statistics.read_users(connection, period, most)
            series = user_series_of(users, starts)
        else:
            with self._database.read() as connection:
                names = {ALL_KINDS: ""} if by is None else kinds.names(connection, by)
                portions = statistics.read(connection, period, by_kind=by is not None)
                series, count = series_of(portions, names, period, starts, most)
        return CallSeries(
            begin=rfc3339(_moment(period.begin)),
            end=rfc3339(_moment(period.end)),
            step_seconds=period.slot_seconds,
            by=by,
            series=series,
            omitted=count - len(series),
        )


def period_of(
    begin: datetime, end: datetime, step_seconds: int | None, now: datetime, *, by_hour: bool
) -> Period:
    """The slots of a period, and the coarsest rows that make them up.

    Raises:
        ValidationFailedError: the period or the step cannot be answered; the field is named.
    """
    if end <= begin:
        raise ValidationFailedError.of("to", "must be later than from")
    slot = step_seconds or _fitting_step(begin, end, by_hour=by_hour)
    step = HOUR_SECONDS if slot % HOUR_SECONDS == 0 else MINUTE_SECONDS
    if slot % MINUTE_SECONDS:
        raise ValidationFailedError.of("step", "must be a whole number of minutes")
    if step != HOUR_SECONDS and by_hour:
        raise ValidationFailedError.of("step", "must be a whole number of hours for users")
    if step != HOUR_SECONDS and begin < now - MINUTES_KEPT:
        raise ValidationFailedError.of(
            "step", f"must be a whole number of hours beyond {MINUTES_KEPT.days} days ago"
        )
    first = int(begin.timestamp()) // step * step
    last = -(-int(end.timestamp()) // step) * step
    if last - first > MOST_POINTS * slot:
        raise ValidationFailedError.of("step", f"gives more than {MOST_POINTS} points")
    return Period(first, last, slot, step)


def _fitting_step(begin: datetime, end: datetime, *, by_hour: bool) -> int:
    seconds = (end - begin).total_seconds()
    return next(
        (
            step
            for step in STEPS_SECONDS
            if seconds <= step * FITTING_POINTS and (step >= HOUR_SECONDS or not by_hour)
        ),
        STEPS_SECONDS[-1],
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


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
