"""The clients of the live bench, in processes of their own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psutil

from measure import BENCH
from measure.latency import merged
from measure.listeners import Report
from tests.services.stack import clean_environment

PROCESSES = 2
_END_SECONDS = 10


class Clients:
    """Some processes of `measure.listeners`, spoken to as one."""

    def __init__(self, members: list[subprocess.Popen[bytes]]) -> None:
        self._members = members

    @property
    def cpu_seconds(self) -> float:
        """What they have used so far."""
        return sum(sum(psutil.Process(each.pid).cpu_times()[:2]) for each in self._members)

    def count(self) -> Report:
        """What all saw so far, without delays."""
        return _sum([_ask(member, "count") for member in self._members])

    def report(self) -> Report:
        """The same with the delays since the last report."""
        return _sum([_ask(member, "report") for member in self._members])

    def until(self, condition: Callable[[Report], bool], seconds: float) -> Report:
        """Wait until what they saw satisfies.

        Raises:
            TimeoutError: it does not within the time.
        """
        end = time.monotonic() + seconds
        while not condition(seen := self.count()):
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:g} s in vain: {seen}")
            time.sleep(0.05)
        return seen


@contextmanager
def clients(port: int, streams: int, cookies: Path) -> Iterator[Clients]:
    """So many streams, opened from now on."""
    with ExitStack() as stack:
        members = []
        for number in range(PROCESSES):
            share = streams // PROCESSES + (number < streams % PROCESSES)
            member = subprocess.Popen(
                [sys.executable, "-m", "measure.listeners", str(port), str(share), cookies],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=BENCH,
                env=clean_environment({}),
            )
            stack.callback(_end, member)
            members.append(member)
        yield Clients(members)


def _ask(member: subprocess.Popen[bytes], command: str) -> Report:
    assert member.stdin is not None
    assert member.stdout is not None
    member.stdin.write(f"{command}\n".encode())
    member.stdin.flush()
    return msgspec.json.decode(member.stdout.readline(), type=Report)


def _end(member: subprocess.Popen[bytes]) -> None:
    assert member.stdin is not None
    member.stdin.close()
    try:
        member.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        member.kill()
        member.wait()


def _sum(reports: list[Report]) -> Report:
    return Report(
        streams=sum(each.streams for each in reports),
        opened=sum(each.opened for each in reports),
        last_open_ns=max(each.last_open_ns for each in reports),
        probes=sum(each.probes for each in reports),
        repeated=sum(each.repeated for each in reports),
        gaps=sum(each.gaps for each in reports),
        pings=sum(each.pings for each in reports),
        received_bytes=sum(each.received_bytes for each in reports),
        delays=merged(each.delays for each in reports),
    )
