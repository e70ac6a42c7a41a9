"""The whole system at one moment, from reports and what can be asked here."""

from datetime import timedelta
from pathlib import Path

import pytest

from madang.calls import offsets
from madang.calls.spool import SpoolWriter
from madang.db.engine import Database
from madang.http.health import Check
from madang.system.models import ProcessReport, TopicEnds
from madang.system.reports import MemoryReports, ProcessReports
from madang.system.service import SystemService
from tests.board import TurnedClock
from tests.unit.system.builders import NOW, a_report
from tests.unit.system.test_watch import LostReports

SERVICES = ("madang-api", "madang-ship")


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "spool"
    SpoolWriter(directory, max_bytes=2**20, segment_bytes=2**16).close()
    return directory


def a_system(
    database: Database,
    spool_dir: Path,
    *said: ProcessReport,
    reports: ProcessReports | None = None,
) -> SystemService:
    memory = MemoryReports()
    for report in said:
        memory.publish(report)
    return SystemService(
        database,
        reports or memory,
        spool_dir,
        service_name="madang-api",
        instance="one",
        spool_max_bytes=1000,
        expected=SERVICES,
        redis_version=lambda: "7.0",
        clock=TurnedClock(),
    )


def test_process_is_silent_after_five_seconds_and_its_service_missing(
    database: Database, spool_dir: Path
) -> None:
    fresh = a_report("madang-api", reported_at=NOW - timedelta(seconds=5))
    silent = a_report("madang-ship", reported_at=NOW - timedelta(seconds=6))
    state = a_system(database, spool_dir, fresh, silent).state()
    assert [process.silent for process in state.processes] == [False, True]
    assert state.missing == ["madang-ship"]


def test_lag_is_what_the_topic_holds_beyond_history(database: Database, spool_dir: Path) -> None:
    with database.write() as connection:
        offsets.begin(connection, "topic-1", 0, 40)
        offsets.begin(connection, "topic-1", 1, 90)
        offsets.begin(connection, "topic-0", 0, 5)
    ends = TopicEnds(topic_id="topic-1", offsets=[50, 80, 3])
    state = a_system(database, spool_dir, a_report("madang-ship", topic=ends)).state()
    assert state.history is not None
    assert state.history.lag_messages == 10 + 0 + 3


def test_lag_is_unknown_where_only_silent_processes_have_seen_the_topic(
    database: Database, spool_dir: Path
) -> None:
    old = a_report(
        "madang-ship",
        reported_at=NOW - timedelta(minutes=1),
        topic=TopicEnds(topic_id="topic-1", offsets=[50]),
    )
    state = a_system(database, spool_dir, old).state()
    assert state.history is not None
    assert state.history.lag_messages is None


def test_last_recording_is_known_from_a_silent_recorder_too(
    database: Database, spool_dir: Path
) -> None:
    told = "2030-05-17T11:00:00.000000Z"
    old = a_report(
        "madang-record",
        reported_at=NOW - timedelta(minutes=50),
        figures={"last_recorded_at": told},
    )
    state = a_system(database, spool_dir, old).state()
    assert state.history is not None
    assert state.history.last_recorded_at == NOW.replace(hour=11, microsecond=0)


def test_lost_and_rejected_are_counted_and_the_newest_shown_without_their_bytes(
    database: Database, spool_dir: Path
) -> None:
    with database.write() as connection:
        offsets.begin(connection, "topic-1", 0)
        offsets.move(connection, "topic-1", 0, 9, lost=4)
        rejected = [(number, f"reason {number}", b"bytes") for number in range(1, 8)]
        offsets.reject(connection, "topic-1", 0, NOW, rejected)
    history = a_system(database, spool_dir).state().history
    assert history is not None
    assert (history.lost, history.rejected, history.rejected_exact) == (4, 7, True)
    assert [event.reason for event in history.newest_rejected] == [
        f"reason {number}" for number in (7, 6, 5, 4, 3)
    ]
    assert "bytes" not in {str(value) for _, value in history.newest_rejected[0]}
    assert history.newest_rejected[0].size_bytes == 5


def test_spools_of_other_instances_are_added_and_the_own_is_counted_once(
    database: Database, spool_dir: Path
) -> None:
    figures = {
        "spool_bytes": 500,
        "unsent_bytes": 400,
        "oldest_unsent_seconds": 30.5,
        "unrecorded": 2,
        "refused": 1,
        "torn": 0,
        "unreadable": 0,
    }
    state = a_system(
        database,
        spool_dir,
        a_report("madang-ship", figures=figures),
        a_report("madang-ship", instance="two", figures=figures),
        a_report("madang-ship", instance="three", figures=dict.fromkeys(figures)),
    ).state()
    assert state.spool is not None
    assert (state.spool.spools, state.spool.limit_bytes) == (2, 2000)
    assert (state.spool.total_bytes, state.spool.unsent_bytes) == (564, 400)
    assert (state.spool.unrecorded, state.spool.refused) == (2, 1)
    assert state.spool.oldest_unsent_at == NOW - timedelta(seconds=30.5)


def test_kafka_is_as_the_worst_of_those_who_see_it(database: Database, spool_dir: Path) -> None:
    well, bad = Check(status="ok"), Check(status="unavailable", detail="nobody answers")
    state = a_system(
        database,
        spool_dir,
        a_report("madang-record", checks={"kafka": well}),
        a_report("madang-ship", checks={"kafka": bad}),
    ).state()
    kafka = state.dependencies["kafka"]
    assert (kafka.status, kafka.detail, kafka.seen_by) == (
        "unavailable",
        "nobody answers",
        "madang-ship",
    )


def test_state_is_told_while_redis_the_database_and_the_spool_are_away(tmp_path: Path) -> None:
    nowhere = Database(f"sqlite:///{tmp_path}/no/such/directory.db")
    state = a_system(nowhere, tmp_path / "nothing", reports=LostReports()).state()
    assert {name: found.status for name, found in state.dependencies.items()} == {
        "redis": "unavailable",
        "kafka": "unknown",
        "database": "unavailable",
        "spool": "unavailable",
    }
    assert state.spool is None
    assert state.history is None
    assert state.missing == list(SERVICES)
