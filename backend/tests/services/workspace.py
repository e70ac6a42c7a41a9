"""Temporary directories for services, and the cache that outlives them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "madang-services-"
_LOCK = "in-use"


def cache_directory() -> Path:
    """Where `make setup` keeps what is resolved once; the scripts compute the same path.

    Root's home is closed to the users that services run as, so root has its cache elsewhere.
    """
    if chosen := os.environ.get("MADANG_CACHE_DIR"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/madang")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "madang"


@contextmanager
def temporary_directory(within: Path | None = None) -> Iterator[Path]:
    """A directory that other users may pass through, removed at the end.

    What a killed process left behind is removed first: its lock is free.
    """
    base = within or Path(tempfile.gettempdir())
    for left in base.glob(f"{_PREFIX}*"):
        _remove_if_abandoned(left)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    path.chmod(0o755)
    try:
        # Under its name only once it is held: what another finds with a free lock, it removes.
        with exclusive(path / f"{_LOCK}.new") as lock:
            lock.rename(path / _LOCK)
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def exclusive(lock: Path) -> Iterator[Path]:
    """Hold a lock file; waits for whoever holds it."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lock


def _remove_if_abandoned(path: Path) -> None:
    try:
        with (path / _LOCK).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    shutil.rmtree(path, ignore_errors=True)
