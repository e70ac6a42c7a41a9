"""The spool: calls on local disk between the answer that made them and their delivery.

A directory of segments. Each writer (an API worker) appends to a segment of its own and holds an
exclusive `flock` on it, so a segment without a lock has no writer and will not grow. A segment is
a 64-byte header followed by records:

    header   magic "MDGSPOOL" · u32 version · u32 header size · u64 cursor of each reader (two)
    record   u32 length of the rest · u32 CRC-32 of the rest · u16 length of traceparent
             · traceparent (ASCII) · call event (JSON)

Integers are little-endian. The readers' cursors stand in the header because that space is
allocated already: a full disk cannot stop a cursor from moving.
"""

import contextlib
import enum
import errno
import fcntl
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from uuid_utils import uuid7

from madang.errors import SpoolError, SpoolFullError

log = structlog.get_logger(__name__)

MAGIC = b"MDGSPOOL"
VERSION = 1
HEADER_BYTES = 64
SUFFIX = ".segment"
LARGEST_RECORD = 64 * 1024
READ_BYTES = 1024 * 1024
MEASURE_SECONDS = 0.5

_HEADER = struct.Struct("<8sII")
_FRAME = struct.Struct("<II")
_TRACE = struct.Struct("<H")
_COUNT = struct.Struct("<Q")
_OUR_HEADER = (MAGIC, VERSION, HEADER_BYTES)


class Reader(enum.IntEnum):
    """Who reads; the value is where the header keeps this reader's cursor."""

    durable = 16
    live = 24


@dataclass(frozen=True, slots=True)
class Record:
    """One call as it stands in a segment; `end` is the offset of the byte after it."""

    event: bytes
    traceparent: str
    end: int


def frame(event: bytes, traceparent: str) -> bytes:
    """One record, ready to append."""
    context = traceparent.encode("ascii")
    rest = _TRACE.pack(len(context)) + context + event
    return _FRAME.pack(len(rest), zlib.crc32(rest)) + rest


def spool_bytes(directory: Path) -> int:
    """How many bytes all segments occupy together."""
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:
                    continue
    return total


class SpoolWriter:
    """Appends calls to segments of its own; one a process, shared by its threads."""

    def __init__(self, directory: Path, *, max_bytes: int, segment_bytes: int) -> None:
        """Open the first segment.

        Raises:
            SpoolError: the directory cannot be made or written.
        """
        self.directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._writer = uuid7().hex
        self._sequence = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._size = 0
        self._used = 0
        self._free = 0
        self._measured_at = float("-inf")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._unrecorded = UnrecordedCounter(directory)
            self._open_segment()
        except OSError as error:
            raise SpoolError(f"{directory}: {error.strerror}") from error

    def append(self, event: bytes, traceparent: str) -> None:
        """Write one call with a single write; it is in the file when this returns.

        Raises:
            SpoolFullError: the spool has no room, or its file system refused; nothing was written.
        """
        record = frame(event, traceparent)
        with self._lock:
            if self.is_full(len(record)):
                raise SpoolFullError(f"{self.directory} holds {self._used} bytes")
            try:
                self._write(record)
            except OSError as error:
                raise SpoolFullError(f"{self.directory}: {error.strerror}") from error
            self._used += len(record)
            self._free -= len(record)

    def is_full(self, more: int = LARGEST_RECORD) -> bool:
        """Whether `more` bytes do not fit into the spool's share or into its file system.

        What other writers add is seen within half a second.
        """
        now = time.monotonic()
        if now - self._measured_at > MEASURE_SECONDS:
            room = os.statvfs(self.directory)
            self._used = spool_bytes(self.directory)
            self._free = room.f_bavail * room.f_frsize
            self._measured_at = now
        return self._used + more > self._max_bytes or more > self._free

    def count_unrecorded(self) -> None:
        """Note that a call was answered and could not be recorded."""
        self._unrecorded.add(1)

    def unrecorded(self) -> int:
        """How many calls no writer of this directory could record, ever."""
        return self._unrecorded.value()

    def close(self) -> None:
        """Let go of the segment; it is finished once it is read to its end."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self, record: bytes) -> None:
        descriptor = self._descriptor
        if descriptor is None or self._size + len(record) > self._segment_bytes:
            descriptor = self._open_segment()
        written = os.write(descriptor, record)
        if written != len(record):
            os.ftruncate(descriptor, self._size)
            raise _no_space()
        self._size += written

    def _open_segment(self) -> int:
        name = f"{self._writer}-{self._sequence:08d}{SUFFIX}"
        hidden = self.directory / f".{name}"
        descriptor = os.open(
            hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_header(descriptor)
            hidden.rename(self.directory / name)
        except OSError:
            os.close(descriptor)
            hidden.unlink(missing_ok=True)
            raise
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = HEADER_BYTES
        self._sequence += 1
        return descriptor


def _write_header(descriptor: int) -> None:
    header = _HEADER.pack(*_OUR_HEADER) + _COUNT.pack(HEADER_BYTES) * 2
    if os.write(descriptor, header.ljust(HEADER_BYTES, b"\0")) != HEADER_BYTES:
        raise _no_space()


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class UnrecordedCounter:
    """How many calls were answered and not recorded: eight bytes, allocated in advance.

    All writers of a directory share the file, so each addition holds a lock on it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "unrecorded"
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size < _COUNT.size:
                os.pwrite(descriptor, _COUNT.pack(0), 0)
        finally:
            os.close(descriptor)

    def add(self, number: int) -> None:
        """Count `number` more."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            (count,) = _COUNT.unpack(os.pread(descriptor, _COUNT.size, 0))
            os.pwrite(descriptor, _COUNT.pack(count + number), 0)
        finally:
            os.close(descriptor)

    def value(self) -> int:
        """The count since the directory was made."""
        (count,) = _COUNT.unpack(self._path.read_bytes()[: _COUNT.size])
        return int(count)


class Segment:
    """One segment as a reader sees it. Closed by its reader."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self._reader = reader
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES or _HEADER.unpack_from(header) != _OUR_HEADER:
            self.close()
            raise SpoolError(f"{path.name} is not a segment of version {VERSION}")

    def cursor(self) -> int:
        """The offset up to which this reader has delivered."""
        return self._cursor_of(self._reader)

    def is_delivered(self, reader: Reader) -> bool:
        """Whether `reader` has delivered everything in it so far."""
        return self._cursor_of(reader) >= self.size()

    def advance(self, offset: int) -> None:
        """Note delivery up to `offset`."""
        os.pwrite(self._descriptor, _COUNT.pack(offset), self._reader)

    def size(self) -> int:
        """How many bytes it has now."""
        return os.fstat(self._descriptor).st_size

    def has_writer(self) -> bool:
        """Whether it may still grow."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        return False

    def read(self, offset: int) -> list[Record]:
        """The whole records from `offset` on, as many as one read of a mebibyte brings.

        A segment without a writer whose rest is no record had its tail torn when its writer died,
        before the answer left: the rest is set aside and the segment ends there.
        """
        finished = not self.has_writer()
        raw = os.pread(self._descriptor, READ_BYTES, offset)
        records = list(_parse(raw, offset))
        if not records and raw and finished:
            self._set_aside(offset)
        return records

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _cursor_of(self, reader: Reader) -> int:
        (offset,) = _COUNT.unpack(os.pread(self._descriptor, _COUNT.size, reader))
        return int(offset)

    def _set_aside(self, offset: int) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another reader is about to do the same
        try:
            self._cut(offset)
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _cut(self, offset: int) -> None:
        raw = os.pread(self._descriptor, self.size() - offset, offset)
        if not raw:
            return
        self.path.with_suffix(f".{offset}.torn").write_bytes(raw)
        os.ftruncate(self._descriptor, offset)
        log.warning("spool_tail_torn", segment=self.name, offset=offset, bytes=len(raw))


def _parse(raw: bytes, start: int) -> Iterator[Record]:
    """Whole, intact records at the head of `raw`, which begins at offset `start` of its file."""
    position = 0
    while position + _FRAME.size <= len(raw):
        length, checksum = _FRAME.unpack_from(raw, position)
        begin = position + _FRAME.size
        rest = raw[begin : begin + length]
        if not _TRACE.size <= length <= LARGEST_RECORD or len(rest) < length:
            return
        if zlib.crc32(rest) != checksum:
            return
        (context,) = _TRACE.unpack_from(rest)
        event_at = _TRACE.size + context
        position = begin + length
        yield Record(
            rest[event_at:], rest[_TRACE.size : event_at].decode("ascii"), start + position
        )


class SpoolReader:
    """All segments of a directory, oldest first, for one reader."""

    def __init__(self, directory: Path, reader: Reader) -> None:
        self._directory = directory
        self._reader = reader
        self._open: dict[str, Segment] = {}

    def segments(self) -> list[Segment]:
        """The segments that exist now, oldest first; what is no segment is renamed out of the way.

        Raises:
            SpoolError: the directory cannot be read.
        """
        try:
            names = sorted(name for name in os.listdir(self._directory) if name.endswith(SUFFIX))
        except OSError as error:
            raise SpoolError(f"{self._directory}: {error.strerror}") from error
        for name in self._open.keys() - set(names):
            self._open.pop(name).close()
        for name in names:
            if name not in self._open and not name.startswith("."):
                self._try_open(self._directory / name)
        return [self._open[name] for name in names if name in self._open]

    def _try_open(self, path: Path) -> None:
        try:
            self._open[path.name] = Segment(path, self._reader)
        except FileNotFoundError:
            return  # another reader has finished with it
        except SpoolError as error:
            log.error("segment_set_aside", reason=error.detail)
            with contextlib.suppress(FileNotFoundError):
                path.rename(path.with_suffix(".unreadable"))

    def backlog_bytes(self) -> int:
        """How many bytes this reader has not delivered."""
        return sum(max(0, segment.size() - segment.cursor()) for segment in self.segments())

    def remove(self, segment: Segment) -> None:
        """Delete a segment that has no writer and is delivered."""
        self._open.pop(segment.path.name).close()
        segment.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close all files."""
        for segment in self._open.values():
            segment.close()
        self._open.clear()
