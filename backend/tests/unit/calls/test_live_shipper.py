"""What the delivery to the live store owes while Redis or the spool fails."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from madang.calls.live_shipper import RedisShipper
from madang.calls.recent import RedisRecentCalls
from madang.calls.spool import Reader, Segment, SpoolReader, SpoolWriter
from madang.errors import RedisUnavailableError
from tests.services.waiting import wait_until

SECONDS = 15


class Recent:
    """A live store that fails when told to."""

    def __init__(self) -> None:
        self.fails = False
        self.at_gap: Callable[[], object] = bool
        self.came: list[str] = []

    def add(self, events: Sequence[bytes]) -> None:
        if self.fails:
            raise RedisUnavailableError
        self.came += [event.decode() for event in events]

    def add_gap(self) -> None:
        if self.fails:
            raise RedisUnavailableError
        self.came.append("gap")
        self.at_gap()


@contextmanager
def delivering(recent: Recent, spool: Path) -> Iterator[RedisShipper]:
    shipper = RedisShipper(cast("RedisRecentCalls", recent), SpoolReader(spool, Reader.live))
    stop = threading.Event()
    thread = threading.Thread(target=shipper.run, args=[stop])
    thread.start()
    try:
        yield shipper
    finally:
        stop.set()
        thread.join()


def only_segment(spool: Path) -> Segment:
    (segment,) = SpoolReader(spool, Reader.durable).segments()
    return segment


def test_what_is_skipped_while_a_gap_is_told_is_told_as_another(tmp_path: Path) -> None:
    SpoolWriter(tmp_path, max_bytes=2**20, segment_bytes=2**16).append(b"call", "")
    recent = Recent()
    recent.fails = True
    with delivering(recent, tmp_path) as shipper:
        wait_until(lambda: not shipper.is_behind(only_segment(tmp_path)), SECONDS, "a failure")

        def skip_another() -> None:
            recent.at_gap = bool
            assert not shipper.is_behind(only_segment(tmp_path))

        recent.at_gap = skip_another
        recent.fails = False
        wait_until(lambda: recent.came.count("gap") == 2, SECONDS, "both gaps")
        wait_until(lambda: "call" in recent.came, SECONDS, "the call")


def test_delivery_goes_on_after_the_spool_could_not_be_read(tmp_path: Path) -> None:
    spool, away = tmp_path / "spool", tmp_path / "away"
    SpoolWriter(spool, max_bytes=2**20, segment_bytes=2**16).append(b"call", "")
    segment = only_segment(spool)
    spool.rename(away)
    recent = Recent()
    with delivering(recent, spool) as shipper:
        wait_until(lambda: not shipper.is_behind(segment), SECONDS, "a failure")
        away.rename(spool)
        wait_until(lambda: "call" in recent.came, SECONDS, "the call")
