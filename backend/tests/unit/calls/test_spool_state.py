"""What a spool holds, for whoever looks on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from madang.calls.event import new_call_id
from madang.calls.spool import Reader, SpoolReader, SpoolState, SpoolWriter, spool_state
from madang.errors import SpoolError

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def an_event(moment: datetime) -> bytes:
    return b'{"id": "%s"}' % str(new_call_id(moment)).encode()


def a_writer(directory: Path) -> SpoolWriter:
    return SpoolWriter(directory, max_bytes=2**20, segment_bytes=2**16)


def test_empty_spool_has_nothing_unsent(tmp_path: Path) -> None:
    a_writer(tmp_path)
    assert spool_state(tmp_path) == SpoolState(total_bytes=64)


def test_oldest_unsent_call_is_the_first_over_all_segments_that_is_not_delivered(
    tmp_path: Path,
) -> None:
    first, second = a_writer(tmp_path), a_writer(tmp_path)
    for seconds in (0, 30):
        first.append(an_event(NOW + timedelta(seconds=seconds)), "")
    second.append(an_event(NOW + timedelta(seconds=20)), "")
    assert spool_state(tmp_path).oldest_unsent == NOW
    segment = SpoolReader(tmp_path, Reader.durable).segments()[0]
    segment.advance(segment.read(64)[0].end)
    state = spool_state(tmp_path)
    assert state.oldest_unsent == NOW + timedelta(seconds=20)
    assert 0 < state.unsent_bytes < state.total_bytes - 2 * 64


def test_delivery_to_the_live_store_alone_sends_nothing(tmp_path: Path) -> None:
    a_writer(tmp_path).append(an_event(NOW), "")
    (segment,) = SpoolReader(tmp_path, Reader.live).segments()
    segment.advance(segment.size())
    assert spool_state(tmp_path).oldest_unsent == NOW


def test_record_that_is_no_event_has_bytes_and_no_age(tmp_path: Path) -> None:
    a_writer(tmp_path).append(b"no event", "")
    state = spool_state(tmp_path)
    assert state.unsent_bytes > 0
    assert state.oldest_unsent is None


def test_what_was_set_aside_is_counted(tmp_path: Path) -> None:
    writer = a_writer(tmp_path)
    writer.count_unrecorded()
    (tmp_path / "refused").mkdir()
    for name in ("refused/1.json", "refused/2.json", "a.64.torn", "b.unreadable"):
        (tmp_path / name).touch()
    state = spool_state(tmp_path)
    assert (state.unrecorded, state.refused, state.torn, state.unreadable) == (1, 2, 1, 1)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "torn.segment").write_bytes(b"not a segment at all")
    assert spool_state(tmp_path).unsent_bytes == 0
    assert (tmp_path / "torn.segment").exists()


def test_directory_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="nothing-here"):
        spool_state(tmp_path / "nothing-here")
