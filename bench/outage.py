"""All brokers down for ten minutes under a steady load: what waits, and how long until it is whole.

Ends with 1 when an answered call is missing from history or doubled, when statistics do not equal
the rows, when a call went unrecorded, or when requests waited for the brokers.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from madang.calls.spool import spool_bytes
from measure import BENCH
from measure.machine import Machine, machine, versions
from measure.stand import Stand, services
from tests.chaos.comparison import History, assert_counted, differences
from tests.chaos.ledger import CLIENTS, Ledger
from tests.services.stack import Stack
from tests.services.waiting import wait_until
from tests.services.workspace import temporary_directory

BEFORE_SECONDS = 30.0
AFTER_SECONDS = 10.0
WHOLE_SECONDS = 300.0
SAMPLE_SECONDS = 1.0


class Outage(msgspec.Struct, frozen=True):
    """What was seen."""

    date: str
    machine: Machine
    versions: dict[str, str]
    down_seconds: float
    answered: int
    per_second: float
    statuses: dict[int, int]
    p99_before_ms: float
    p99_down_ms: float
    spool_worst_bytes: int
    whole_after_seconds: float
    unrecorded: int
    differences: list[str]


class SpoolWatch:
    """The most bytes that the spool was seen to hold, sampled once a second."""

    def __init__(self, directory: Path) -> None:
        self.worst_bytes = 0
        self._directory = directory
        self._ending = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sample inside the block."""
        thread = threading.Thread(target=self._run, name="spool")
        thread.start()
        try:
            yield
        finally:
            self._ending.set()
            thread.join()

    def _run(self) -> None:
        while not self._ending.wait(SAMPLE_SECONDS):
            self.worst_bytes = max(self.worst_bytes, spool_bytes(self._directory))


def measure(stand: Stand, down_seconds: float, rate: float) -> Outage:
    """Break all brokers for so long, mend them, and compare every answered call."""
    with Stack(stand.directory / "stack", stand.dependencies).running() as stack:
        ledger = Ledger(stack.url, pause_seconds=CLIENTS / rate)
        history = History(stand.dependencies.database_url)
        spool = SpoolWatch(stack.directory / "spool")
        began = time.monotonic()
        with spool.running(), ledger.clients():
            ledger.wait_for_seconds(BEFORE_SECONDS)
            with ledger.fault():
                stand.kafka.kill()
                ledger.wait_for_seconds(down_seconds)
            due = list(ledger.answered)
            stand.kafka.start()
            mended = time.monotonic()
            wait_until(lambda: history.holds(due), WHOLE_SECONDS, "history")
            whole_after = time.monotonic() - mended
            ledger.wait_for_seconds(AFTER_SECONDS)
        seconds = time.monotonic() - began
        wait_until(lambda: history.holds(ledger.answered), WHOLE_SECONDS, "the last calls")
        found = differences(ledger.answered, history.ids())
        assert_counted(history)
        history.close()
        return Outage(
            f"{datetime.now(UTC):%Y-%m-%d}",
            machine(),
            versions(stand),
            down_seconds,
            len(ledger.answered),
            round(ledger.total() / seconds, 1),
            dict(ledger.statuses),
            round(ledger.p99_before_faults() * 1000, 1),
            round(ledger.p99_of_faults() * 1000, 1),
            spool.worst_bytes,
            round(whole_after, 2),
            ledger.unrecorded,
            found,
        )


def main() -> int:
    """Measure, keep the result and show it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long the brokers are down")
    parser.add_argument("--rate", type=float, default=50, help="requests a second, at most")
    parser.add_argument("--out", type=Path, help="where to keep the result, results/ by default")
    given = parser.parse_args()
    with temporary_directory() as directory, services(directory) as stand:
        found = measure(stand, given.seconds, given.rate)
    out = given.out or BENCH / "results" / f"{found.date}-outage.json"
    out.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    print(out.read_text())
    waited = found.p99_down_ms > max(1000, 5 * found.p99_before_ms)
    return int(bool(found.differences) or found.unrecorded > 0 or waited)


if __name__ == "__main__":
    sys.exit(main())
