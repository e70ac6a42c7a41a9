"""containerd in a sandbox, and its store of images, filled once and then linked in a second."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.services.kubernetes.sandbox import Sandbox, sandbox
from tests.services.process import Process, find_program
from tests.services.workspace import cache_directory, exclusive, temporary_directory

CONFIGURATION = Path(__file__).with_name("node_files") / "containerd.toml"

_IMPORT_SECONDS = 300
_READY_SECONDS = 120
_KEPT = 16


def containerd_process(box: Sandbox, log: Path, store: Path) -> Process:
    """containerd on this store, not started yet."""
    return Process(
        "containerd",
        box.inside(find_program("containerd"), f"--config={CONFIGURATION}", f"--root={store}"),
        log=log,
        ready=lambda: box.has("/run/containerd/containerd.sock"),
        ready_seconds=_READY_SECONDS,
    )


def load_images(box: Sandbox, archive: Path) -> None:
    """Bring images in, out of an archive as `podman save` writes it."""
    words = ("ctr", "--namespace=k8s.io", "images", "import", archive)
    box.run(*words, seconds=_IMPORT_SECONDS)


@contextmanager
def image_store(archives: Sequence[Path]) -> Iterator[Path]:
    """A store with these images for one containerd; gone after the block.

    Its files are links into one that is kept in the cache: containerd never changes a layer, only
    its own lists. What changes often stands last in `archives`.
    """
    stores = cache_directory() / "kube" / "stores"
    stores.mkdir(parents=True, exist_ok=True)
    with temporary_directory(stores) as directory:
        with exclusive(stores / "lock"):
            store = _linked(_filled(stores, archives), directory / "containerd")
            _forget_old(stores)
        yield store


def _filled(stores: Path, archives: Sequence[Path]) -> Path:
    """The kept one with these, made of the one without the last when it is not there."""
    names = "\n".join(archive.name for archive in archives)
    target = stores / f"filled-{hashlib.sha256(names.encode()).hexdigest()[:12]}"
    if target.exists():
        os.utime(target)
        return target
    with temporary_directory(stores) as work:
        store = work / "containerd"
        if archives:
            _linked(_filled(stores, archives[:-1]), store)
            with sandbox(work / "sandbox") as box:
                containerd = containerd_process(box, work / "containerd.log", store)
                try:
                    containerd.start()
                    load_images(box, archives[-1])
                finally:
                    containerd.stop(0)
        else:
            store.mkdir()
        store.rename(target)
    return target


def _linked(store: Path, target: Path) -> Path:
    """A copy that shares all files but the lists."""
    subprocess.run(["cp", "--archive", "--link", store, target], check=True)
    for list_ in target.glob("io.containerd.*/*.db"):
        list_.unlink()
        shutil.copyfile(store / list_.relative_to(target), list_)
    return target


def _forget_old(stores: Path) -> None:
    kept = sorted(stores.glob("filled-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in kept[_KEPT:]:
        shutil.rmtree(old)
