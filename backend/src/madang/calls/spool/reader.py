"""Reading the spool: all its segments, those of dead writers too."""

import contextlib
import os
from pathlib import Path

import structlog

from madang.calls.spool.format import SUFFIX, Reader
from madang.calls.spool.segment import Segment
from madang.errors import SpoolError

log = structlog.get_logger(__name__)


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
