"""Appending to the spool."""

import ctypes
import errno
import fcntl
import os
import threading
import time
from pathlib import Path

from uuid_utils import uuid7

from madang.calls.spool.format import HEADER_BYTES, LARGEST_RECORD, SUFFIX, frame, fresh_header
from madang.calls.spool.unrecorded import UnrecordedCounter
from madang.errors import SpoolError, SpoolFullError

MEASURE_SECONDS = 0.5

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_libc.write.restype = ctypes.c_ssize_t


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
        written = _write_keeping_interpreter(descriptor, record)
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
            if os.write(descriptor, fresh_header()) != HEADER_BYTES:
                raise _no_space()
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
