"""A process' watch over itself: what it says to probes, in metrics, and on the System page."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from madang import __version__
from madang.clock import Clock, utc_now
from madang.errors import UnavailableError
from madang.http.health import Check, Dependency, readiness
from madang.system.models import ProcessHealth, ProcessReport, TopicEnds
from madang.system.reports import ProcessReports
from madang.telemetry import Figures

log = structlog.get_logger(__name__)

PERIOD_SECONDS = 2.0
STALE = timedelta(seconds=10)
END_SECONDS = 1.0


class ProcessWatch:
    """Asks the dependencies and measures every two seconds, in a thread of its own.

    Nothing that delivers or records waits for it, and however often it is read, it measures no
    oftener.
    """

    def __init__(
        self,
        service_name: str,
        instance: str,
        dependencies: Mapping[str, Dependency],
        measure: Callable[[], Figures],
        reports: ProcessReports | None,
        *,
        topic: Callable[[], TopicEnds | None] = lambda: None,
        started_at: datetime | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is asked before `start`.

        Args:
            service_name: such as `madang-ship`.
            instance: the pod or host.
            dependencies: asked before `measure` each time.
            measure: the figures of this process.
            reports: where they are told, None for nowhere.
            topic: how far the topic reached when the dependencies were asked.
            started_at: when the process began; now where None.
            clock: what the reports' moments come from.
        """
        self._service_name = service_name
        self._instance = instance
        self._dependencies = dependencies
        self._measure = measure
        self._reports = reports
        self._topic = topic
        self._clock = clock
        self._started_at = started_at or clock()
        self._last = ProcessHealth(status="unavailable")
        self._is_told = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and take the report back: a process that ends in order is not missed."""
        self._stop.set()
        self._thread.join(END_SECONDS)
        if self._reports is not None:
            self._tell(lambda reports: reports.withdraw(self._service_name, self._instance))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch inside the block."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def figures(self) -> Figures:
        """What was measured last."""
        return self._last.figures

    def ready(self) -> ProcessHealth:
        """Whether the process can do its work; not where nothing was measured for ten seconds."""
        last = self._last
        if last.measured_at is None:
            return last
        age = self._clock() - last.measured_at
        if age <= STALE:
            return last
        stuck = Check(
            status="unavailable", detail=f"Nothing was measured for {age.total_seconds():.0f} s"
        )
        return last.model_copy(
            update={"status": "unavailable", "checks": {**last.checks, "watch": stuck}}
        )

    def look(self) -> None:
        """Ask, measure and tell once."""
        health = readiness(self._dependencies)
        figures = dict(self._measure())
        now = self._clock()
        self._last = ProcessHealth(
            status=health.status, checks=health.checks, measured_at=now, figures=figures
        )
        report = ProcessReport(
            service_name=self._service_name,
            instance=self._instance,
            version=__version__,
            started_at=self._started_at,
            reported_at=now,
            status=health.status,
            checks=health.checks,
            figures=figures,
            topic=self._topic(),
        )
        self._tell(lambda reports: reports.publish(report))

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.look()
            except Exception:  # the process works on; its probe says that nothing is measured
                log.exception("watch_failed")
            self._stop.wait(max(0.0, PERIOD_SECONDS - (time.monotonic() - began)))

    def _tell(self, what: Callable[[ProcessReports], None]) -> None:
        if self._reports is None:
            return
        try:
            what(self._reports)
        except UnavailableError as error:
            if self._is_told:
                log.warning("process_report_untold", reason=str(error.__cause__))
            self._is_told = False
        else:
            self._is_told = True
