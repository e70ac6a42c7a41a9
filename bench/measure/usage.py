"""What each process takes: processor seconds and resident memory."""

import resource
from collections.abc import Mapping, Sequence

import msgspec
import psutil

from tests.services.process import Process

MEBIBYTE = 1024 * 1024


class Use(msgspec.Struct, frozen=True):
    """Of one role, all its processes together, during a run and at its end."""

    cpu_seconds: float
    rss_mib: float
    processes: int


class Meter:
    """Measures from its making until `read`."""

    def __init__(self, roles: Mapping[str, Process]) -> None:
        """`roles` are running; what they start later is not counted."""
        self._members = {name: with_children(process) for name, process in roles.items()}
        self._began = {name: cpu_seconds_of(members) for name, members in self._members.items()}
        self._load_began = _load_seconds()
        self._all_began = _all_seconds()

    def read(self) -> tuple[dict[str, Use], float]:
        """The use of each role and of `wrk`, and the seconds that went to anything else.

        Anything else is this program, the kernel's own threads, other programs, and what the
        hypervisor gave to other machines.
        """
        all_seconds = _all_seconds() - self._all_began
        uses = {
            name: Use(
                round(cpu_seconds_of(members) - self._began[name], 2),
                round(sum(each.memory_info().rss for each in members) / MEBIBYTE, 1),
                len(members),
            )
            for name, members in self._members.items()
        }
        load = round(_load_seconds() - self._load_began, 2)
        known = load + sum(use.cpu_seconds for use in uses.values())
        uses["wrk"] = Use(load, 0.0, 1)
        return uses, round(max(0.0, all_seconds - known), 2)


def with_children(process: Process) -> list[psutil.Process]:
    """It and all that it has started."""
    return [psutil.Process(process.pid), *process.children()]


def cpu_seconds_of(members: Sequence[psutil.Process]) -> float:
    """What they have used since they began."""
    return sum(sum(each.cpu_times()[:2]) for each in members)


def _load_seconds() -> float:
    """Of children that have ended: while a run lasts that is wrk alone."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _all_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
