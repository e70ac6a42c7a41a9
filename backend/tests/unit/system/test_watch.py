"""A process' watch over itself."""

import threading
from collections.abc import Sequence

from madang.errors import KafkaUnavailableError, RedisUnavailableError
from madang.http.health import Dependency
from madang.system.models import ProcessReport
from madang.system.reports import MemoryReports, ProcessReports
from madang.system.watch import ProcessWatch
from madang.telemetry import Figures
from tests.board import TurnedClock
from tests.services.waiting import wait_until


class LostReports:
    """Reports that can neither be left nor read."""

    source = "redis"

    def publish(self, report: ProcessReport) -> None:
        raise RedisUnavailableError

    def withdraw(self, service_name: str, instance: str) -> None:
        raise RedisUnavailableError

    def read(self) -> Sequence[ProcessReport]:
        raise RedisUnavailableError


def no_broker() -> None:
    raise KafkaUnavailableError("nobody answers")


def a_watch(
    reports: ProcessReports | None = None,
    *,
    clock: TurnedClock | None = None,
    needed: bool = True,
    figures: Figures | None = None,
) -> ProcessWatch:
    return ProcessWatch(
        "madang-ship",
        "one",
        {"kafka": Dependency(no_broker, needed=needed)},
        lambda: figures or {"sent": 3},
        reports,
        clock=clock or TurnedClock(),
    )


def test_watch_is_not_ready_before_anything_was_measured() -> None:
    assert a_watch().ready().status == "unavailable"


def test_watch_says_which_dependency_is_down_with_the_figures() -> None:
    watch = a_watch()
    watch.look()
    health = watch.ready()
    assert health.status == "unavailable"
    assert health.checks["kafka"].detail == "nobody answers"
    assert health.figures == watch.figures() == {"sent": 3}


def test_watch_is_ready_without_what_it_does_not_need() -> None:
    watch = a_watch(needed=False)
    watch.look()
    assert watch.ready().status == "ok"
    assert watch.ready().checks["kafka"].status == "unavailable"


def test_watch_that_is_stuck_is_not_ready_and_says_for_how_long() -> None:
    clock = TurnedClock()
    watch = a_watch(clock=clock, needed=False)
    watch.look()
    clock.advance(seconds=10)
    assert watch.ready().status == "ok"
    clock.advance(seconds=5)
    assert watch.ready().status == "unavailable"
    assert watch.ready().checks["watch"].detail == "Nothing was measured for 15 s"


def test_watch_reports_what_it_measured_and_takes_it_back_at_the_end() -> None:
    reports = MemoryReports()
    watch = a_watch(reports)
    with watch.running():
        (report,) = wait_until(reports.read, 20, "the first report")
        assert (report.service_name, report.instance) == ("madang-ship", "one")
        assert report.figures == {"sent": 3}
        assert report.status == "unavailable"
    assert reports.read() == []


def test_watch_works_on_where_its_reports_are_lost() -> None:
    watch = a_watch(LostReports(), needed=False)
    watch.look()
    assert watch.ready().status == "ok"
    with watch.running():
        pass


def test_watch_goes_on_after_a_measurement_that_failed() -> None:
    measured = threading.Event()

    def measure() -> Figures:
        measured.set()
        raise RuntimeError("a bug")

    watch = ProcessWatch("madang-ship", "one", {}, measure, None)
    with watch.running():
        assert measured.wait(5)
        assert watch._thread.is_alive()
        assert watch.ready().status == "unavailable"
