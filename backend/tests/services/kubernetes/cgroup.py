"""A control group of its own for the pods of a node."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from tests.services.process import is_alive
from tests.services.waiting import wait_until

_ROOT = Path("/sys/fs/cgroup")
_EMPTY_SECONDS = 60


@contextmanager
def cgroup() -> Iterator[str]:
    """Its path, as kubelet takes it; gone after the block, when its processes are.

    What a killed process left behind is removed first.
    """
    for left in {path.name for path in _named("madang-*-*")}:
        if not is_alive(int(left.split("-")[1])):
            _remove(left)
    name = f"madang-{os.getpid()}-{uuid4().hex[:8]}"
    try:
        for hierarchy in _hierarchies():
            _make(hierarchy / name)
        yield f"/{name}"
    finally:
        _remove(name)


def _hierarchies() -> list[Path]:
    """The one of version 2, or one a controller of version 1."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    directories = [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path for path in directories if (path / "tasks").exists()]


def _make(path: Path) -> None:
    controllers = path.parent / "cgroup.controllers"
    if controllers.exists():
        wanted = " ".join(f"+{name}" for name in controllers.read_text().split())
        (path.parent / "cgroup.subtree_control").write_text(wanted)
    path.mkdir()
    # In version 1 a new one may run nowhere until it is told where.
    for setting in ("cpuset.cpus", "cpuset.mems"):
        if (path / "tasks").exists() and (path / setting).exists():
            shutil.copyfile(path.parent / setting, path / setting)
    # With the default all pods together get no more of a busy machine than one other process.
    processors = os.cpu_count() or 1
    for setting, one in (("cpu.shares", 1024), ("cpu.weight", 100)):
        if (path / setting).exists():
            (path / setting).write_text(str(2 * one * processors))


def _named(pattern: str) -> list[Path]:
    """In all hierarchies: runc makes one more where both versions are mounted."""
    return [*_ROOT.glob(pattern), *_ROOT.glob(f"*/{pattern}")]


def _remove(name: str) -> None:
    for path in _named(name):
        wait_until(partial(_is_removed, path), _EMPTY_SECONDS, f"the end of {path}")


def _is_removed(path: Path) -> bool:
    """Remove it with all below that is empty."""
    for inner in sorted(path.glob("**/"), reverse=True):
        try:
            inner.rmdir()
        except OSError:
            return False
    return True
