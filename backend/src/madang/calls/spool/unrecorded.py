"""The number of calls that were answered and not recorded."""

import fcntl
import os
from pathlib import Path

from madang.calls.spool.format import COUNT


class UnrecordedCounter:
    """How many calls were answered and not recorded: eight bytes, allocated in advance.

    All writers of a directory share the file, so each addition holds a lock on it.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "unrecorded"
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size < COUNT.size:
                os.pwrite(descriptor, COUNT.pack(0), 0)
        finally:
            os.close(descriptor)

    def add(self, number: int) -> None:
        """Count `number` more."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            (count,) = COUNT.unpack(os.pread(descriptor, COUNT.size, 0))
            os.pwrite(descriptor, COUNT.pack(count + number), 0)
        finally:
            os.close(descriptor)

    def value(self) -> int:
        """The count since the directory was made."""
        (count,) = COUNT.unpack(self._path.read_bytes()[: COUNT.size])
        return int(count)
