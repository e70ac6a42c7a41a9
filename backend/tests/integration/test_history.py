"""History, statistics, recount and retention on both databases."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Executable, delete, func, insert, select, update

from madang.calls import offsets, statistics
from madang.calls.event import CallEvent, RecordedCall, encode
from madang.calls.history import OBSERVING_ENDPOINTS, Filters
from madang.calls.kinds import ALL_KINDS
from madang.calls.models import Call, CallStatistics, RejectedEvent, UserStatistics
from madang.calls.recent import MemoryRecentCalls
from madang.calls.recorder import Batch, RawEvent, Recorder
from madang.calls.recount import hours, recount
from madang.calls.retention import prune
from madang.calls.service import CallLogService, StatisticsService
from madang.calls.sketch import RELATIVE_ACCURACY
from madang.calls.statistics import By
from madang.db.engine import Database
from madang.db.migrate import upgrade
from madang.errors import ValidationFailedError
from tests.unit.calls.builders import NOON, call, no_telemetry

pytestmark = pytest.mark.integration

TOPIC = "a-topic"
NOW = NOON + timedelta(hours=6)
ENDPOINTS = ("/api/messages", "/api/messages/{id}", "/api/logs/kafka", "(unmatched)")
STATUSES = (200, 201, 404, 503)
USERS = ("reader", "writer", "o'hara; --", None)


class NoSource:
    """A source that brings nothing."""

    def poll(self, timeout_seconds: float) -> Sequence[Batch]:
        return []

    def recorded(self, batch: Batch) -> None:
        return

    def seek(self, batch: Batch, offset: int | None) -> None:
        raise AssertionError(f"sought to {offset}")

    def close(self) -> None:
        return


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty call log on either database."""
    url = f"sqlite:///{tmp_path}/madang.db"
    if request.param == "mariadb":
        url = request.getfixturevalue("fresh_database_url")
    made = Database(url)
    upgrade(made)
    with made.write() as connection:
        for partition in range(3):
            offsets.begin(connection, TOPIC, partition)
    yield made
    made.close()


class Log:
    """Records calls through partitions in turn, and remembers them."""

    def __init__(self, database: Database) -> None:
        self._recorder = Recorder(database, NoSource(), no_telemetry(), lambda: NOW)
        self._ends = [0, 0, 0]
        self.calls: list[CallEvent] = []

    def record(self, *events: CallEvent, partition: int = 0) -> None:
        begin = self._ends[partition]
        raw = [RawEvent(encode(event), begin + n + 1) for n, event in enumerate(events)]
        self._ends[partition] = begin + len(raw)
        batch = Batch(TOPIC, partition, begin, begin + len(raw), raw, partition)
        assert self._recorder.record(batch)
        self.calls.extend(events)

    def expected(self, fits: Any) -> list[RecordedCall]:
        """As history lists them."""
        found = sorted(filter(fits, self.calls), key=lambda event: event.id, reverse=True)
        return [RecordedCall(**msgspec.structs.asdict(event)) for event in found]


@pytest.fixture
def log(database: Database) -> Log:
    """300 calls of several kinds over five hours, the same at every run."""
    made = Log(database)
    chance = random.Random(7)
    events = [
        call(
            chance.uniform(0, 5 * 3600),
            endpoint=chance.choice(ENDPOINTS),
            method=chance.choice(("GET", "POST")),
            status=chance.choice(STATUSES),
            service_name=chance.choice(("madang-api", "another")),
            user_id=chance.choice(USERS),
            duration_us=int(chance.lognormvariate(8, 1)),
        )
        for _ in range(300)
    ]
    for start in range(0, 300, 30):
        made.record(*events[start : start + 30], partition=start // 30 % 3)
    return made


def service(database: Database) -> CallLogService:
    return CallLogService(database, MemoryRecentCalls())


def all_pages(database: Database, filters: Filters, limit: int) -> list[RecordedCall]:
    found: list[RecordedCall] = []
    cursor: str | None = None
    while True:
        items, cursor = service(database).page(filters, cursor=cursor, limit=limit)
        found += items
        if cursor is None:
            return found


ALTERNATIVES: dict[str, list[Any]] = {
    "service_name": [None, "another"],
    "endpoint": [None, "/api/messages", "/api/never"],
    "method": [None, "POST"],
    "status": [None, (404, 404), (500, 599)],
    "user_id": [None, "o'hara; --"],
    "period": [None, (NOON + timedelta(hours=1), NOON + timedelta(hours=3))],
    "with_log_reads": [True, False],
}


def test_every_combination_of_filters_lists_what_fits_newest_first(
    database: Database, log: Log
) -> None:
    for values in product(*ALTERNATIVES.values()):
        wanted = dict(zip(ALTERNATIVES, values, strict=True))
        lowest, highest = wanted["status"] or (None, None)
        begin, end = wanted["period"] or (None, None)
        filters = Filters(
            wanted["service_name"], wanted["endpoint"], wanted["method"], lowest, highest,
            wanted["user_id"], begin, end, wanted["with_log_reads"],
        )  # fmt: skip

        def fits(event: CallEvent, filters: Filters = filters) -> bool:
            return (
                filters.service_name in {None, event.service_name}
                and filters.endpoint in {None, event.endpoint}
                and filters.method in {None, event.method}
                and (filters.lowest_status or 0) <= event.status <= (filters.highest_status or 999)
                and filters.user_id in {None, event.user_id}
                and (filters.begin or NOON) <= event.timestamp < (filters.end or NOW)
                and (filters.with_log_reads or event.endpoint not in OBSERVING_ENDPOINTS)
            )

        assert all_pages(database, filters, 40) == log.expected(fits), wanted


def test_pages_stay_as_they_are_while_rows_arrive(database: Database, log: Log) -> None:
    filters = Filters(method="GET")
    wanted = log.expected(lambda event: event.method == "GET")
    found, cursor = service(database).page(filters, cursor=None, limit=25)
    while cursor is not None:
        log.record(call(5 * 3600 + len(found)))
        items, cursor = service(database).page(filters, cursor=cursor, limit=25)
        found += items
    assert found == wanted


def series(database: Database, step_seconds: int | None, by: By | None, most: int = 50) -> Any:
    begin = NOON.replace(minute=0)
    return StatisticsService(database, lambda: NOW).calls(
        begin, begin + timedelta(hours=6), step_seconds, by, most
    )


@pytest.mark.parametrize("step_seconds", [60, 1800, 3600, 7200, 6 * 3600])
def test_series_equal_a_count_of_history(database: Database, log: Log, step_seconds: int) -> None:
    (everything,) = series(database, step_seconds, None).series
    origin = int(NOON.replace(minute=0, second=0, microsecond=0).timestamp())
    slots = Counter(
        (int(event.timestamp.timestamp()) - origin) // step_seconds for event in log.calls
    )
    assert [point.calls for point in everything.points] == [slots[slot] for slot in sorted(slots)]
    assert everything.errors == sum(event.status >= 500 for event in log.calls)
    exact = sorted(event.duration_us for event in log.calls)[int(0.95 * 299)]
    assert abs(everything.p95_us - exact) <= exact * RELATIVE_ACCURACY


@pytest.mark.parametrize(
    ("by", "name_of"),
    [
        ("endpoint", lambda event: event.endpoint),
        ("status", lambda event: str(event.status)),
        ("service", lambda event: event.service_name),
        ("user", lambda event: event.user_id),
    ],
)
def test_series_by_name_equal_a_count_of_history(
    database: Database, log: Log, by: By, name_of: Any
) -> None:
    names = Counter(name_of(event) for event in log.calls)
    del names[None]
    found = series(database, 3600, by)
    assert {item.name: item.calls for item in found.series} == dict(names)
    assert [item.calls for item in found.series] == sorted(names.values(), reverse=True)
    assert all(item.calls == sum(point.calls for point in item.points) for item in found.series)
    few = series(database, 3600, by, most=1)
    assert (len(few.series), few.omitted) == (1, len(names) - 1)


def test_series_without_a_step_has_one_that_fits(database: Database, log: Log) -> None:
    assert series(database, None, None).step_seconds == 300
    assert series(database, None, "user").step_seconds == 3600


@pytest.mark.parametrize(
    ("ago", "step_seconds", "by", "field"),
    [
        (timedelta(0), 60, None, "to"),
        (timedelta(hours=1), 90, None, "step"),
        (timedelta(hours=1), 60, "user", "step"),
        (timedelta(days=8), 60, None, "step"),
        (timedelta(days=365), 3600, None, "step"),
    ],
)
def test_series_that_cannot_be_answered_names_the_field(
    database: Database, ago: timedelta, step_seconds: int, by: By | None, field: str
) -> None:
    with pytest.raises(ValidationFailedError) as refused:
        StatisticsService(database, lambda: NOW).calls(NOW - ago, NOW, step_seconds, by, 5)
    assert [error.field for error in refused.value.errors] == [field]


def recount_all(database: Database, *, check_only: bool) -> tuple[int, int]:
    found = [
        recount(database, hour, with_minutes=True, check_only=check_only)
        for hour in hours(NOON, NOW + timedelta(hours=1))
    ]
    return sum(item.calls for item in found), sum(item.differences for item in found)


def test_statistics_equal_a_recount_with_calls_dated_ahead_among_them(
    database: Database, log: Log
) -> None:
    log.record(call(86_400), call(3600 * 24 * 400), call(5, user_id="reader "))
    assert recount_all(database, check_only=True) == (303, 0)
    furthest, ahead, last = all_pages(database, Filters(), 100)[:3]
    assert (furthest.counted_at, ahead.counted_at) == (NOW, NOW)
    assert last.counted_at is msgspec.UNSET


def test_recount_repairs_what_was_damaged_and_recorders_go_on_from_there(
    database: Database, log: Log
) -> None:
    before = statistics_rows(database)
    with database.write() as connection:
        connection.execute(update(CallStatistics).values(calls=CallStatistics.calls + 1))
        connection.execute(delete(UserStatistics))
    assert recount_all(database, check_only=True)[1] > 0
    recount_all(database, check_only=False)
    assert statistics_rows(database) == before
    log.record(call(1), call(2, user_id="reader"))
    assert recount_all(database, check_only=True) == (302, 0)


@pytest.mark.parametrize(
    "damage",
    [
        update(CallStatistics).values(errors=CallStatistics.errors + 1),
        update(UserStatistics).values(calls=UserStatistics.calls - 1),
        update(UserStatistics).values(errors=UserStatistics.errors + 1),
        delete(UserStatistics).where(UserStatistics.user_id == "writer"),
        insert(UserStatistics).values(
            start=int(NOON.timestamp()) // 3600 * 3600, partition=2, user_id="x", calls=1, errors=0
        ),
    ],
    ids=["errors of a kind", "calls of users", "errors of users", "user missing", "user too many"],
)
def test_recount_finds_and_repairs_what_differs_in_one_table_alone(
    database: Database, log: Log, damage: Executable
) -> None:
    before = statistics_rows(database)
    with database.write() as connection:
        connection.execute(damage)
    assert recount_all(database, check_only=True)[1] > 0
    assert statistics_rows(database) != before, "checking changes nothing"
    assert recount_all(database, check_only=False)[1] > 0
    assert statistics_rows(database) == before
    assert recount_all(database, check_only=True)[1] == 0


def statistics_rows(database: Database) -> statistics.Totals:
    """Sums over partitions: a recount puts all into one."""
    with database.read() as connection:
        return statistics.totals(connection, 0, 2**40)


def count(database: Database, column: Any, *conditions: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count(column)).where(*conditions)).scalar_one())


def test_prune_removes_what_is_older_and_statistics_still_equal_history(
    database: Database, log: Log
) -> None:
    log.record(call(86_400))
    cutoff = (NOW - timedelta(hours=4)).replace(minute=0, second=0, microsecond=0)
    kept = log.expected(lambda event: event.timestamp >= cutoff)
    pruned = prune(database, timedelta(hours=4), NOW)
    assert [event.id for event in all_pages(database, Filters(), 100)] == [
        event.id for event in kept
    ]
    assert pruned.calls == len(log.calls) - len(kept)
    assert recount_all(database, check_only=True) == (len(kept), 0)


def test_call_that_comes_again_after_it_was_pruned_goes_with_the_next_pruning(
    database: Database, log: Log
) -> None:
    keep = timedelta(hours=4)
    prune(database, keep, NOW)
    before = statistics_rows(database)
    oldest = min(log.calls, key=lambda event: event.timestamp)
    log.record(oldest)
    assert all_pages(database, Filters(), 100)[-1].id == oldest.id
    assert recount_all(database, check_only=True)[1] == 0
    assert statistics_rows(database) != before
    assert prune(database, keep, NOW).calls == 1
    assert statistics_rows(database) == before


def test_prune_takes_rows_by_minute_after_a_week_and_rejected_events_with_their_hour(
    database: Database, log: Log
) -> None:
    with database.write() as connection:
        offsets.reject(connection, TOPIC, 0, NOON, [(1, "no event", b"{")])
    later: datetime = NOW + timedelta(days=8)
    assert prune(database, timedelta(days=30), later).calls == 0
    assert count(database, CallStatistics.calls, CallStatistics.step_seconds == 60) == 0
    everything = CallStatistics.kind_id == ALL_KINDS
    assert count(database, CallStatistics.calls, everything) > 0
    assert count(database, RejectedEvent.id) == 1
    assert prune(database, timedelta(days=1), later).rejected == 1
    assert count(database, Call.id) == count(database, CallStatistics.calls) == 0
