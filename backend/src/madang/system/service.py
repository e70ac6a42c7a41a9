"""The whole system at one moment, from what can be asked here and what processes report."""

import platform
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from madang import __version__
from madang.calls.spool import SpoolState, spool_state
from madang.clock import Clock, utc_now
from madang.db.engine import Database
from madang.http.health import answered
from madang.system import store
from madang.system.figures import SPOOL_FIGURES
from madang.system.models import (
    DependencyState,
    HistorySummary,
    ListedProcess,
    ProcessReport,
    SpoolSummary,
    SystemState,
    TopicEnds,
    Versions,
)
from madang.system.reports import ProcessReports

SILENT = timedelta(seconds=5)
NEWEST_REJECTED = 5

Answer = TypeVar("Answer")


class SystemService:
    """Answers also while Redis, the brokers, the recorder or the shipper are down, and says so."""

    def __init__(
        self,
        database: Database,
        reports: ProcessReports,
        spool_dir: Path,
        *,
        service_name: str,
        instance: str,
        spool_max_bytes: int,
        expected: Sequence[str],
        redis_version: Callable[[], str] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Describe what there is to ask.

        Args:
            database: the call log's.
            reports: of all processes.
            spool_dir: the spool of the process that answers.
            service_name: who answers.
            instance: where.
            spool_max_bytes: the most that spool may hold.
            expected: the services of which at least one process must report.
            redis_version: asks Redis; None where there is none, and no broker either.
            clock: what silence is measured by.
        """
        self._database = database
        self._reports = reports
        self._spool_dir = spool_dir
        self._service_name = service_name
        self._instance = instance
        self._spool_max_bytes = spool_max_bytes
        self._expected = expected
        self._redis_version = redis_version
        self._clock = clock

    def state(self) -> SystemState:
        """Ask everything once."""
        found: dict[str, DependencyState] = {}
        reports, redis_version = self._reported(found)
        now = self._clock()
        processes = [_listed(report, now) for report in reports]
        fresh = [process for process in processes if not process.silent]
        if self._redis_version is not None:
            found["kafka"] = _kafka(fresh)
        history = self._ask("database", lambda: self._history(reports, now), found)
        spool = self._ask("spool", lambda: self._spools(fresh), found)
        return SystemState(
            at=now,
            versions=Versions(
                madang=__version__,
                python=platform.python_version(),
                database=self._database_version() if history else None,
                redis=redis_version,
            ),
            dependencies=found,
            processes=sorted(processes, key=lambda item: (item.service_name, item.instance)),
            missing=sorted(set(self._expected) - {process.service_name for process in fresh}),
            spool=spool,
            history=history,
        )

    def _reported(
        self, found: dict[str, DependencyState]
    ) -> tuple[Sequence[ProcessReport], str | None]:
        """The reports, and Redis' version where they are in Redis."""
        if self._redis_version is None:
            return self._reports.read(), None
        reports = self._ask("redis", self._reports.read, found)
        return (reports, self._redis_version()) if reports is not None else ([], None)

    def _ask(
        self, name: str, question: Callable[[], Answer], found: dict[str, DependencyState]
    ) -> Answer | None:
        """The answer, and in `found` how the dependency `name` is."""
        answers: list[Answer] = []
        check = answered(lambda: answers.append(question()))
        found[name] = DependencyState(**check.model_dump(), seen_by=self._service_name)
        return answers[0] if answers else None

    def _database_version(self) -> str:
        with self._database.read() as connection:
            return store.server_version(connection)

    def _history(self, reports: Sequence[ProcessReport], now: datetime) -> HistorySummary:
        ends = _newest_ends(reports, now)
        with self._database.read() as connection:
            rejected = store.rejected_count(connection)
            return HistorySummary(
                lag_messages=store.unrecorded_messages(connection, ends) if ends else None,
                last_recorded_at=_last_recorded_at(reports),
                lost=store.lost_messages(connection),
                rejected=min(rejected, store.MOST_COUNTED),
                rejected_exact=rejected <= store.MOST_COUNTED,
                newest_rejected=store.newest_rejected(connection, NEWEST_REJECTED),
            )

    def _spools(self, fresh: Sequence[ListedProcess]) -> SpoolSummary:
        """The spool here, and those of other instances as their shippers report them."""
        others = [
            state
            for process in fresh
            if process.instance != self._instance
            and process.service_name.endswith("-ship")
            and (state := _reported_spool(process)) is not None
        ]
        states = [spool_state(self._spool_dir), *others]
        moments = [state.oldest_unsent for state in states if state.oldest_unsent is not None]
        return SpoolSummary(
            spools=len(states),
            total_bytes=sum(state.total_bytes for state in states),
            limit_bytes=self._spool_max_bytes * len(states),
            unsent_bytes=sum(state.unsent_bytes for state in states),
            oldest_unsent_at=min(moments, default=None),
            unrecorded=sum(state.unrecorded for state in states),
            refused=sum(state.refused for state in states),
            torn=sum(state.torn for state in states),
            unreadable=sum(state.unreadable for state in states),
        )


def _is_silent(report: ProcessReport, now: datetime) -> bool:
    return now - report.reported_at > SILENT


def _listed(report: ProcessReport, now: datetime) -> ListedProcess:
    said = report.model_dump(exclude={"topic"})
    return ListedProcess(**said, silent=_is_silent(report, now))


def _newest_ends(reports: Sequence[ProcessReport], now: datetime) -> TopicEnds | None:
    """How far the topic reaches; shippers say so too, so it is known while no recorder runs."""
    heard = [report for report in reports if not _is_silent(report, now)]
    newest_first = sorted(heard, key=lambda report: report.reported_at, reverse=True)
    return next((report.topic for report in newest_first if report.topic is not None), None)


def _last_recorded_at(reports: Sequence[ProcessReport]) -> datetime | None:
    said = (report.figures.get("last_recorded_at") for report in reports)
    moments = [datetime.fromisoformat(value) for value in said if isinstance(value, str)]
    return max(moments, default=None)


def _kafka(fresh: Sequence[ListedProcess]) -> DependencyState:
    """As those see it who speak with the brokers; the worst of it."""
    seen = [
        DependencyState(**process.checks["kafka"].model_dump(), seen_by=process.service_name)
        for process in fresh
        if "kafka" in process.checks
    ]
    worst_first = sorted(seen, key=lambda state: state.status == "ok")
    return next(iter(worst_first), DependencyState(status="unknown"))


def _reported_spool(process: ListedProcess) -> SpoolState | None:
    """The spool that a shipper reports; None where it could not read it."""
    figures = {name: process.figures.get(name) for name in SPOOL_FIGURES}
    age = figures["oldest_unsent_seconds"]
    numbers = {name: value for name, value in figures.items() if isinstance(value, int)}
    if "spool_bytes" not in numbers:
        return None
    unsent, oldest = numbers.get("unsent_bytes", 0), None
    if unsent and isinstance(age, int | float):
        oldest = process.reported_at - timedelta(seconds=age)
    return SpoolState(
        total_bytes=numbers["spool_bytes"],
        unsent_bytes=unsent,
        oldest_unsent=oldest,
        unrecorded=numbers.get("unrecorded", 0),
        refused=numbers.get("refused", 0),
        torn=numbers.get("torn", 0),
        unreadable=numbers.get("unreadable", 0),
    )
