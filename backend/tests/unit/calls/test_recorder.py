import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select

from madang.calls import offsets
from madang.calls.event import CallEvent, encode
from madang.calls.kinds import ALL_KINDS
from madang.calls.models import Call, CallStatistics, KafkaOffset, RejectedEvent, UserStatistics
from madang.calls.recorder import Batch, RawEvent, Recorder
from madang.calls.spool import Reader, SpoolReader, SpoolWriter, spool_bytes
from madang.calls.spool_source import SpoolSource
from madang.db.engine import Database
from madang.db.migrate import upgrade
from madang.telemetry import Telemetry
from tests.unit.calls.builders import NOON, call, no_telemetry

TOPIC = "an-id-of-a-topic"


class ListedSource:
    """A source that remembers what it is told."""

    def __init__(self) -> None:
        self.recorded_ends: list[int] = []
        self.sought: list[int | None] = []

    def poll(self, timeout_seconds: float) -> Sequence[Batch]:
        return []

    def recorded(self, batch: Batch) -> None:
        self.recorded_ends.append(batch.end)

    def seek(self, batch: Batch, offset: int | None) -> None:
        self.sought.append(offset)

    def close(self) -> None:
        return


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/madang.db")
    upgrade(made)
    with made.write() as connection:
        offsets.begin(connection, TOPIC, 0)
    yield made
    made.close()


@pytest.fixture
def telemetry() -> Telemetry:
    return no_telemetry()


@pytest.fixture
def source() -> ListedSource:
    return ListedSource()


@pytest.fixture
def recorder(database: Database, source: ListedSource, telemetry: Telemetry) -> Recorder:
    return Recorder(database, source, telemetry, lambda: NOON + timedelta(hours=1))


def batch(begin: int, *values: bytes | CallEvent) -> Batch:
    raw = [value if isinstance(value, bytes) else encode(value) for value in values]
    events = [RawEvent(value, begin + number + 1) for number, value in enumerate(raw)]
    return Batch(TOPIC, 0, begin, begin + len(raw), events, 0)


def rows_of(database: Database, column: object) -> list[object]:
    with database.read() as connection:
        return list(connection.execute(select(column)).scalars())  # type: ignore[call-overload]  # any column


def totals(database: Database) -> dict[int, int]:
    with database.read() as connection:
        rows = connection.execute(
            select(CallStatistics.step_seconds, CallStatistics.calls).where(
                CallStatistics.kind_id != ALL_KINDS
            )
        )
        sums: dict[int, int] = {}
        for step, calls in rows:
            sums[step] = sums.get(step, 0) + calls
    return sums


def test_batch_is_written_with_its_statistics_and_offset(
    database: Database, recorder: Recorder, source: ListedSource
) -> None:
    events = [call(0), call(1), call(2, user_id=None)]
    assert recorder.record(batch(0, *events))
    assert rows_of(database, Call.id) == [event.id for event in events]
    assert totals(database) == {60: 3, 3600: 3}
    assert rows_of(database, UserStatistics.calls) == [2]
    assert rows_of(database, KafkaOffset.next_offset) == [3]
    assert source.recorded_ends == [3]


def test_batch_that_comes_again_changes_nothing_and_the_source_is_sought_ahead(
    database: Database, recorder: Recorder, source: ListedSource
) -> None:
    recorder.record(batch(0, call(0), call(1)))
    assert not recorder.record(batch(0, call(5), call(6)))
    assert source.sought == [2]
    assert len(rows_of(database, Call.id)) == 2
    assert totals(database) == {60: 2, 3600: 2}


def test_event_that_comes_again_at_a_later_offset_is_not_counted_twice(
    database: Database, recorder: Recorder
) -> None:
    again = call(0)
    recorder.record(batch(0, again, again))
    recorder.record(batch(2, again, call(1)))
    assert len(rows_of(database, Call.id)) == 2
    assert totals(database) == {60: 2, 3600: 2}
    assert rows_of(database, KafkaOffset.next_offset) == [4]


def test_statistics_of_two_batches_add_up_in_one_row(
    database: Database, recorder: Recorder
) -> None:
    recorder.record(batch(0, call(0, duration_us=100)))
    recorder.record(batch(1, call(1, duration_us=300)))
    with database.read() as connection:
        rows = connection.execute(
            select(CallStatistics.calls, CallStatistics.duration_sum_us).where(
                CallStatistics.step_seconds == 60
            )
        ).all()
    of_the_kind_and_of_all = [(2, 400)] * 2
    assert [tuple(row) for row in rows] == of_the_kind_and_of_all


def test_what_is_no_event_is_kept_with_its_reason_and_never_in_the_way(
    database: Database, recorder: Recorder
) -> None:
    recorder.record(batch(0, b"{", call(0), b"\xff"))
    assert len(rows_of(database, Call.id)) == 1
    assert rows_of(database, RejectedEvent.position) == [1, 3]
    assert rows_of(database, RejectedEvent.value) == [b"{", b"\xff"]
    assert all(rows_of(database, RejectedEvent.reason))
    assert rows_of(database, KafkaOffset.next_offset) == [3]


def test_event_that_the_database_refuses_is_kept_aside_and_its_neighbours_are_recorded(
    database: Database, recorder: Recorder
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON calls WHEN NEW.path = '/poison' "
            "BEGIN SELECT RAISE(ABORT, 'poisoned'); END"
        )
    good = [call(n) for n in range(7)]
    recorder.record_or_split(batch(0, *good[:3], call(9, path="/poison"), *good[3:]))
    assert rows_of(database, Call.id) == [event.id for event in good]
    assert rows_of(database, RejectedEvent.position) == [4]
    assert "poisoned" in str(rows_of(database, RejectedEvent.reason)[0])
    assert rows_of(database, KafkaOffset.next_offset) == [8]
    assert totals(database) == {60: 7, 3600: 7}


@pytest.mark.parametrize(
    "change",
    [
        {"duration_us": 2**63 - 1},
        {"timestamp": "9999-12-31T23:59:59-12:00"},
        {"path": "\ud800"},
    ],
)
def test_event_with_an_impossible_value_is_rejected(
    database: Database, recorder: Recorder, change: dict[str, object]
) -> None:
    poison = json.dumps(json.loads(encode(call(0))) | change).encode()
    recorder.record_or_split(batch(0, poison, poison, call(1)))
    assert len(rows_of(database, RejectedEvent.id)) == 2
    assert len(rows_of(database, Call.id)) == 1


def test_event_written_in_another_zone_is_counted_under_its_utc_hour(
    database: Database, recorder: Recorder
) -> None:
    event = call(0)
    local = event.timestamp.astimezone(timezone(timedelta(hours=5, minutes=30)))
    fields = json.loads(encode(event)) | {"timestamp": local.isoformat()}
    recorder.record_or_split(batch(0, json.dumps(fields).encode()))
    starts = rows_of(database, CallStatistics.start)
    assert int(NOON.replace(minute=0, second=0, microsecond=0).timestamp()) in starts
    assert rows_of(database, Call.timestamp) == [event.timestamp]


def test_event_of_the_future_is_kept_marked_and_counted_under_its_receipt(
    database: Database, recorder: Recorder
) -> None:
    event = call(86400)
    recorder.record(batch(0, event))
    receipt = NOON + timedelta(hours=1)
    assert rows_of(database, Call.timestamp) == [event.timestamp]
    assert rows_of(database, Call.counted_at) == [receipt]
    minute = receipt.replace(second=0, microsecond=0)
    assert int(minute.timestamp()) in rows_of(database, CallStatistics.start)


def run_until(
    database: Database, directory: Path, telemetry: Telemetry, done: Callable[[], bool]
) -> None:
    """Run a recorder over the spool in `directory` until `done`, at most ten seconds."""
    source = SpoolSource(SpoolReader(directory, Reader.durable), database)
    recorder = Recorder(database, source, telemetry, lambda: NOON + timedelta(hours=1))
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=[stop])
    thread.start()
    tick = threading.Event()
    for _ in range(1000):
        if done():
            break
        tick.wait(0.01)
    stop.set()
    thread.join()
    source.close()
    assert done()


def test_spool_is_recorded_once_over_restarts_and_its_segments_go(
    tmp_path: Path, database: Database, telemetry: Telemetry
) -> None:
    directory = tmp_path / "spool"
    writer = SpoolWriter(directory, max_bytes=2**20, segment_bytes=4096)
    first, later = [call(n) for n in range(20)], [call(n) for n in range(20, 40)]
    for event in first:
        writer.append(encode(event), "")
    run_until(database, directory, telemetry, lambda: len(rows_of(database, Call.id)) == 20)
    for event in later:
        writer.append(encode(event), "")
    writer.close()
    run_until(database, directory, telemetry, lambda: spool_bytes(directory) == 0)
    assert rows_of(database, Call.id) == [event.id for event in first + later]
    assert totals(database) == {60: 40, 3600: 40}
    assert [row for row in rows_of(database, KafkaOffset.topic_id) if row != TOPIC] == []
