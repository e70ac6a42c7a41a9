"""The comparison itself: what is missing, doubled or miscounted makes it fail, by its name."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from madang.calls.event import encode
from madang.calls.models import Call, CallStatistics
from madang.calls.recorder import Recorder
from madang.calls.spool import Reader, SpoolReader, SpoolWriter
from madang.calls.spool_source import SpoolSource
from madang.clock import utc_now
from madang.db.migrate import upgrade
from tests.chaos import comparison
from tests.chaos.comparison import History, assert_whole, differences
from tests.chaos.events import call_now
from tests.unit.calls.builders import no_telemetry

pytestmark = pytest.mark.chaos

Recorded = tuple[list[UUID], History]


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """Five calls that went through spool and recorder, and the history that has them."""
    history = History(f"sqlite:///{tmp_path}/madang.db")
    upgrade(history.database)
    spool = SpoolWriter(tmp_path / "spool", max_bytes=2**20, segment_bytes=2**16)
    events = [call_now() for _ in range(5)]
    for event in events:
        spool.append(encode(event), "")
    source = SpoolSource(SpoolReader(tmp_path / "spool", Reader.durable), history.database)
    recorder = Recorder(history.database, source, no_telemetry(), utc_now)
    for batch in source.poll(1):
        assert recorder.record(batch)
    yield [event.id for event in events], history
    source.close()
    spool.close()
    history.close()


def test_comparison_names_the_call_that_is_missing_and_the_one_that_is_doubled() -> None:
    calls = [uuid4() for _ in range(5)]
    assert differences(calls, calls) == []
    (missing,) = differences(calls, calls[1:])
    assert str(calls[0]) in missing
    (doubled,) = differences(calls, [*calls, calls[3]])
    assert str(calls[3]) in doubled


def test_comparison_names_a_call_whose_row_is_gone(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, history = recorded
    assert_whole(calls, history)
    with history.database.write() as connection:
        connection.execute(delete(Call).where(Call.id == calls[2]))
    monkeypatch.setattr(comparison, "CATCH_UP_SECONDS", 0.1)
    with pytest.raises(AssertionError, match=f"{calls[2]} was answered and is missing"):
        assert_whole(calls, history)


def test_comparison_fails_when_an_identifier_was_answered_twice(recorded: Recorded) -> None:
    calls, history = recorded
    with pytest.raises(AssertionError, match="given twice"):
        assert_whole([*calls, calls[0]], history)


@pytest.mark.parametrize("step_seconds", [60, 3600])
def test_comparison_fails_when_statistics_count_one_more_than_there_are_rows(
    recorded: Recorded, step_seconds: int
) -> None:
    calls, history = recorded
    with history.database.write() as connection:
        connection.execute(
            update(CallStatistics)
            .where(CallStatistics.step_seconds == step_seconds)
            .values(calls=CallStatistics.calls + 1)
        )
    with pytest.raises(AssertionError, match=f"by {step_seconds} s: .* 6 counted, 5 rows"):
        assert_whole(calls, history)
