"""Which processor core a process may use."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.services.errors import ServiceError
from tests.services.process import Process, find_program


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for what is measured, all others for the rest, this program included."""

    measured: int
    others: frozenset[int]


def divide_cores() -> Cores:
    """Give the last core to what is measured.

    Raises:
        ServiceError: there is only one.
    """
    *others, measured = sorted(os.sched_getaffinity(0))
    if not others:
        raise ServiceError("one core is not enough: what is measured needs one of its own")
    return Cores(measured, frozenset(others))


def on_core(core: int, argv: Sequence[str]) -> list[str]:
    """The command, held to one core from its first instruction on."""
    return [find_program("taskset"), "--cpu-list", str(core), *argv]


@contextmanager
def held(processes: Iterable[Process], cores: frozenset[int]) -> Iterator[None]:
    """Hold this program and processes that run already to these cores; this one until the end."""
    all_cores = os.sched_getaffinity(0)
    for pid in (os.getpid(), *(process.pid for process in processes)):
        _hold(pid, cores)
    try:
        yield
    finally:
        _hold(os.getpid(), frozenset(all_cores))


def _hold(pid: int, cores: frozenset[int]) -> None:
    """All threads; those that start later have the affinity of the one that starts them."""
    seen: set[int] = set()
    while new := {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()} - seen:
        for thread in new:
            with suppress(ProcessLookupError):  # it has ended since it was listed
                os.sched_setaffinity(thread, cores)
        seen |= new
