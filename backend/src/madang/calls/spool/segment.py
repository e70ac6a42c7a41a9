"""One segment, for reading."""

import fcntl
import os
from pathlib import Path

import structlog

from madang.calls.spool.format import (
    COUNT,
    HEADER_BYTES,
    SUFFIX,
    VERSION,
    Reader,
    Record,
    is_header,
    parse,
)
from madang.errors import SpoolError

log = structlog.get_logger(__name__)

READ_BYTES = 1024 * 1024


class Segment:
    """One segment as a reader sees it. Closed by its reader."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self._reader = reader
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        if not is_header(header):
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
        os.pwrite(self._descriptor, COUNT.pack(offset), self._reader)

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
        records = list(parse(raw, offset))
        if not records and raw and finished:
            self._set_aside(offset)
        return records

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _cursor_of(self, reader: Reader) -> int:
        (offset,) = COUNT.unpack(os.pread(self._descriptor, COUNT.size, reader))
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
