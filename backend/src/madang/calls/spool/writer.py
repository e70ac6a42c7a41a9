"""Appending to the spool."""

import ctypes
import errno
import fcntl
import itertools
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from uuid_utils import uuid7

from madang.calls.spool.format import HEADER_BYTES, LARGEST_RECORD, SUFFIX, frame, fresh_header
from madang.calls.spool.unrecorded import UnrecordedCounter
from madang.errors import SpoolError, SpoolFullError

MEASURE_SECONDS = 0.5

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_libc.write.restype = ctypes.c_ssize_t


class _OpenSegment:
    """A segment that this process writes; `size` is where the next record goes.

    It is closed by itself where half a record stands in it that could not be cut away.
    """

    def __init__(self, hidden: Path, path: Path) -> None:
        """Make it under a hidden name, so that it shows itself with its lock and its header."""
        self._descriptor = os.open(
            hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self.size = HEADER_BYTES
        self.is_closed = False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.write(self._descriptor, fresh_header()) != HEADER_BYTES:
                raise _no_space()
            hidden.rename(path)
        except OSError:
            self.close()
            hidden.unlink(missing_ok=True)
            raise

    def append(self, record: bytes) -> None:
        """Write all of it, or nothing and raise OSError."""
        written = _write_keeping_interpreter(self._descriptor, record)
        if written != len(record):
            try:
                os.ftruncate(self._descriptor, self.size)
            except OSError:
                self.close()
                raise
            raise _no_space()
        self.size += written

    def close(self) -> None:
        """Let go of it: it will not grow any more."""
        os.close(self._descriptor)
        self.is_closed = True


class SpoolWriter:
    """Appends calls to segments of its own; one a process, shared by its threads.

    A thread takes a segment for the time of an append, and there are as many as threads that were
    in an append at once. Nobody waits for a lock: a thread that loses the interpreter while it
    holds one makes all others queue for it, and from then on for each append.
    """

    def __init__(self, directory: Path, *, max_bytes: int, segment_bytes: int) -> None:
        """Open the first segment.

        Raises:
            SpoolError: the directory cannot be made or written.
        """
        self.directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._writer = uuid7().hex
        self._sequence = itertools.count()
        self._free_segments: deque[_OpenSegment] = deque()
        self._measured_at = time.monotonic()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._unrecorded = UnrecordedCounter(directory)
            self._free_segments.append(self._open_segment())
            self._measure()
        except OSError as error:
            raise SpoolError(f"{directory}: {error.strerror}") from error

    def append(self, event: bytes, traceparent: str) -> None:
        """Write one call with a single write; it is in the file when this returns.

        Raises:
            SpoolFullError: the spool has no room, or its file system refused; nothing was written.
        """
        record = frame(event, traceparent)
        size = len(record)
        if self.is_full(size):
            raise SpoolFullError(f"{self.directory} has no room for {size} bytes")
        try:
            segment = self._segment_for(size)
            try:
                segment.append(record)
            finally:
                if not segment.is_closed:
                    self._free_segments.append(segment)
        except OSError as error:
            raise SpoolFullError(f"{self.directory}: {error.strerror}") from error
        # Nothing is called between reading and writing these, so no other thread comes between.
        self._used += size
        self._free -= size

    def is_full(self, more: int = LARGEST_RECORD) -> bool:
        """Whether `more` bytes do not fit into the spool's share or into its file system.

        What other writers add is seen within half a second. Nothing fits into a directory that
        cannot be looked at.
        """
        now = time.monotonic()
        if now - self._measured_at > MEASURE_SECONDS:
            self._measured_at = now  # before it, so that other threads go on with the last figures
            try:
                self._measure()
            except OSError:
                self._measured_at = float("-inf")
                return True
        return self._used + more > self._max_bytes or more > self._free

    def count_unrecorded(self) -> None:
        """Note that a call was answered and could not be recorded."""
        self._unrecorded.add(1)

    def unrecorded(self) -> int:
        """How many calls no writer of this directory could record, ever."""
        return self._unrecorded.value()

    def close(self) -> None:
        """Let go of all segments but those in an append; each is finished once it is read."""
        with suppress(IndexError):
            while True:
                self._free_segments.pop().close()

    def _measure(self) -> None:
        room = os.statvfs(self.directory)
        self._used = spool_bytes(self.directory)
        self._free = room.f_bavail * room.f_frsize

    def _segment_for(self, more: int) -> _OpenSegment:
        """One that no other thread has, with room for a record of `more` bytes."""
        try:
            segment = self._free_segments.pop()
        except IndexError:
            return self._open_segment()
        if segment.size + more <= self._segment_bytes:
            return segment
        try:
            following = self._open_segment()
        except OSError:
            self._free_segments.append(segment)
            raise
        segment.close()
        # The others too: what is delivered goes with its segment, and none holds calls for weeks.
        self.close()
        return following

    def _open_segment(self) -> _OpenSegment:
        name = f"{self._writer}-{next(self._sequence):08d}{SUFFIX}"
        return _OpenSegment(self.directory / f".{name}", self.directory / name)


def _write_keeping_interpreter(descriptor: int, record: bytes) -> int:
    """As `os.write`, but no other thread of this interpreter runs meanwhile.

    A write into the page cache takes some microseconds. `os.write` would hand the interpreter over
    for them, and a busy thread gives it back after hundreds.
    """
    while (written := int(_libc.write(descriptor, record, len(record)))) < 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return written


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


def _no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
