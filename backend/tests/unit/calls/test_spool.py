import errno
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from madang.calls.spool import (
    HEADER_BYTES,
    Reader,
    Segment,
    SpoolReader,
    SpoolWriter,
    frame,
    spool_bytes,
)
from madang.calls.spool import writer as writing
from madang.errors import SpoolError, SpoolFullError

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def open_writer(directory: Path, max_bytes: int = 2**20, segment_bytes: int = 2**16) -> SpoolWriter:
    return SpoolWriter(directory, max_bytes=max_bytes, segment_bytes=segment_bytes)


def only_segment(directory: Path, reader: Reader = Reader.durable) -> Segment:
    (segment,) = SpoolReader(directory, reader).segments()
    return segment


def test_calls_come_back_in_order_with_their_trace(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b'{"n":1}', TRACE)
    writer.append(b'{"n":2}', "")
    records = only_segment(tmp_path).read(HEADER_BYTES)
    assert [(r.event, r.traceparent) for r in records] == [(b'{"n":1}', TRACE), (b'{"n":2}', "")]
    assert records[-1].end == only_segment(tmp_path).size()


def test_reading_goes_on_where_the_last_record_ended(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"one", "")
    segment = only_segment(tmp_path)
    end = segment.read(HEADER_BYTES)[-1].end
    assert segment.read(end) == []
    writer.append(b"two", "")
    assert [r.event for r in segment.read(end)] == [b"two"]


def test_cursors_of_the_two_readers_are_apart_and_last(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"one", "")
    segment = only_segment(tmp_path, Reader.durable)
    segment.advance(segment.size())
    again = only_segment(tmp_path, Reader.durable)
    assert again.is_delivered(Reader.durable)
    assert not again.is_delivered(Reader.live)


def test_segment_has_a_writer_until_that_closes(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    segment = only_segment(tmp_path)
    assert segment.has_writer()
    writer.close()
    assert not segment.has_writer()


def test_full_segment_is_followed_by_a_new_one_and_finished(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, segment_bytes=220)
    for _ in range(5):
        writer.append(b"x" * 60, "")
    segments = SpoolReader(tmp_path, Reader.durable).segments()
    assert [segment.has_writer() for segment in segments] == [False, False, True]
    assert sum(len(segment.read(HEADER_BYTES)) for segment in segments) == 5


def test_threads_that_append_at_once_share_no_segment_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, segment_bytes=2**12)
    threads, each = 8, 300
    in_use: set[int] = set()
    append = writing._OpenSegment.append

    def alone(segment: writing._OpenSegment, record: bytes) -> None:
        assert id(segment) not in in_use
        in_use.add(id(segment))
        append(segment, record)
        in_use.remove(id(segment))

    def append_all(thread: int) -> None:
        for number in range(each):
            writer.append(b"%d %d" % (thread, number), "")

    monkeypatch.setattr(writing._OpenSegment, "append", alone)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(append_all, range(threads)))
    finally:
        sys.setswitchinterval(before)

    segments = SpoolReader(tmp_path, Reader.durable).segments()
    assert sum(segment.has_writer() for segment in segments) <= threads
    records = [segment.read(HEADER_BYTES) for segment in segments]
    events = sorted(record.event for found in records for record in found)
    assert events == sorted(b"%d %d" % (t, n) for t in range(threads) for n in range(each))


def test_first_calls_that_come_while_another_thread_measures_the_spool_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path)
    later = time.monotonic() + 2 * writing.MEASURE_SECONDS
    measuring, measured, statvfs = threading.Event(), threading.Event(), os.statvfs

    def measure(directory: Path) -> os.statvfs_result:
        measuring.set()
        assert measured.wait(10)
        return statvfs(directory)

    monkeypatch.setattr(os, "statvfs", measure)
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(writer.append, b"first", "")
        assert measuring.wait(10)
        try:
            writer.append(b"meanwhile", "")
        finally:
            measured.set()
        first.result()
    assert [r.event for r in only_segment(tmp_path).read(HEADER_BYTES)] == [b"meanwhile", b"first"]


def test_spool_whose_directory_is_gone_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path / "spool")
    monkeypatch.setattr(writing, "MEASURE_SECONDS", 0)
    shutil.rmtree(tmp_path / "spool")
    assert writer.is_full()
    with pytest.raises(SpoolFullError):
        writer.append(b"x", "")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """What is written beyond is cut short, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_record_for_which_there_is_half_the_room_leaves_no_trace(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"before", "")
    size = only_segment(tmp_path).size()

    with files_up_to(size + 20):
        with pytest.raises(SpoolFullError, match="No space left"):
            writer.append(b"x" * 60, "")
        assert only_segment(tmp_path).size() == size
    with files_up_to(size), pytest.raises(SpoolFullError, match="File too large"):
        writer.append(b"x" * 60, "")

    writer.append(b"after", "")
    assert [r.event for r in only_segment(tmp_path).read(HEADER_BYTES)] == [b"before", b"after"]


def test_half_a_record_that_cannot_be_cut_away_is_followed_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"before", "")

    def refuse(_descriptor: int, _length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched, files_up_to(only_segment(tmp_path).size() + 20):
        patched.setattr(os, "ftruncate", refuse)
        with pytest.raises(SpoolFullError):
            writer.append(b"x" * 60, "")
    writer.append(b"after", "")

    torn, following = SpoolReader(tmp_path, Reader.durable).segments()
    (record,) = torn.read(HEADER_BYTES)
    assert record.event == b"before"
    assert torn.read(record.end) == []
    assert [path.suffix for path in tmp_path.glob("*.torn")] == [".torn"]
    assert [r.event for r in following.read(HEADER_BYTES)] == [b"after"]


def test_half_written_record_waits_while_its_writer_lives(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"whole", "")
    segment = only_segment(tmp_path)
    with segment.path.open("ab") as file:
        file.write(frame(b"torn", "")[:-1])
    assert [r.event for r in segment.read(HEADER_BYTES)] == [b"whole"]
    assert segment.read(segment.read(HEADER_BYTES)[-1].end) == []
    assert list(tmp_path.glob("*.torn")) == []


@pytest.mark.parametrize("lost", range(1, len(frame(b"torn", ""))))
def test_torn_tail_of_a_dead_writer_is_cut_and_kept_aside(tmp_path: Path, lost: int) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"whole", "")
    writer.close()
    segment = only_segment(tmp_path)
    torn = frame(b"torn", "")[:-lost]
    with segment.path.open("ab") as file:
        file.write(torn)
    (whole,) = segment.read(HEADER_BYTES)
    assert segment.read(whole.end) == []
    assert segment.size() == whole.end
    (aside,) = tmp_path.glob("*.torn")
    assert aside.read_bytes() == torn


def test_record_with_a_flipped_bit_is_not_read(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"whole", "")
    writer.append(b"flipped", "")
    writer.close()
    segment = only_segment(tmp_path)
    content = bytearray(segment.path.read_bytes())
    content[-1] ^= 1
    segment.path.write_bytes(content)
    assert [r.event for r in segment.read(HEADER_BYTES)] == [b"whole"]


def test_full_spool_refuses_and_stores_nothing(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, max_bytes=HEADER_BYTES + 100)
    writer.append(b"x" * 60, "")
    before = spool_bytes(tmp_path)
    with pytest.raises(SpoolFullError):
        writer.append(b"x" * 60, "")
    assert spool_bytes(tmp_path) == before
    assert [r.event for r in only_segment(tmp_path).read(HEADER_BYTES)] == [b"x" * 60]


def test_unrecorded_calls_are_counted_for_all_writers(tmp_path: Path) -> None:
    one, other = open_writer(tmp_path), open_writer(tmp_path)
    one.count_unrecorded()
    other.count_unrecorded()
    assert one.unrecorded() == 2
    assert open_writer(tmp_path).unrecorded() == 2


def test_removed_segment_is_gone_and_the_reader_goes_on(tmp_path: Path) -> None:
    writer = open_writer(tmp_path)
    writer.append(b"one", "")
    writer.close()
    reader = SpoolReader(tmp_path, Reader.durable)
    (segment,) = reader.segments()
    reader.remove(segment)
    assert reader.segments() == []
    assert spool_bytes(tmp_path) == 0


@pytest.mark.parametrize(
    "content", [b"", b"short", os.urandom(100)], ids=["empty", "short", "random"]
)
def test_file_that_is_no_segment_is_set_aside_and_never_in_the_way(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "0000-foreign.segment").write_bytes(content)
    writer = open_writer(tmp_path)
    writer.append(b"one", "")
    assert [r.event for r in only_segment(tmp_path).read(HEADER_BYTES)] == [b"one"]
    assert (tmp_path / "0000-foreign.unreadable").read_bytes() == content


def test_spool_in_an_impossible_place_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file/spool"):
        open_writer(tmp_path / "file" / "spool")
