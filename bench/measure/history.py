"""How far the recorder has come, seen from outside."""

import statistics
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from madang.calls.spool import Reader, SpoolReader
from madang.calls.tallies import HOUR_SECONDS, MINUTE_SECONDS
from measure.topic import messages_in
from tests.services.errors import ServiceError
from tests.services.kafka import Kafka
from tests.services.mariadb import MariaDB
from tests.services.waiting import wait_until

_CATCH_UP_SECONDS = 120
_SAMPLE_SECONDS = 0.25
_SUM = "SELECT CAST(COALESCE(SUM(calls), 0) AS SIGNED) FROM {table} WHERE {which}"
_OF_STEP = "step_seconds = {step} AND kind_id <> 0"  # 0 is the sum of the others


class Lag(msgspec.Struct, frozen=True):
    """How old the newest row of history was, sampled four times a second during a run."""

    median_seconds: float
    worst_seconds: float
    at_end_seconds: float


class Recorded(msgspec.Struct, frozen=True):
    """What history got of some load: rows, and how far behind it was.

    When wrk ends it drops up to one request a connection, unanswered; those are recorded as well,
    so there may be that many rows more than calls answered, up to `rows_allowed`.
    """

    answered: int
    rows: int
    rows_allowed: int
    rejected: int
    lag: Lag
    catch_up_seconds: float

    @property
    def is_exact(self) -> bool:
        """Whether nothing is missing and nothing too much."""
        return self.answered <= self.rows <= self.rows_allowed and self.rejected == 0


class Totals(msgspec.Struct, frozen=True):
    """Calls as rows, as minutes and hours count them, and as those of known users."""

    rows: int
    minutes: int
    hours: int
    of_users: int
    rejected: int

    def since(self, before: "Totals") -> "Totals":
        """What has come since."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(before), strict=True)
        return Totals(*(now - then for now, then in pairs))


class History:
    """The rows of `calls`, and what is still on its way to them."""

    def __init__(
        self, mariadb: MariaDB, database: str, kafka: Kafka, topic: str, spool: Path
    ) -> None:
        self._mariadb = mariadb
        self._database = database
        self._kafka = kafka
        self._topic = topic
        self._spool = spool

    def rows(self) -> int:
        """How many calls it holds."""
        return self._number("SELECT COUNT(*) FROM calls")

    def recorded(self) -> int:
        """How many messages of the topic are recorded; unlike `rows` it costs nothing to ask."""
        return self._number(
            "SELECT CAST(COALESCE(SUM(next_offset), 0) AS SIGNED) FROM kafka_offsets"
        )

    def totals(self) -> "Totals":
        """What history and each kind of statistics count."""
        minutes, hours = (
            self._number(_SUM.format(table="call_statistics", which=_OF_STEP.format(step=step)))
            for step in (MINUTE_SECONDS, HOUR_SECONDS)
        )
        users = self._number(_SUM.format(table="user_statistics", which="TRUE"))
        return Totals(self.rows(), minutes, hours, users, self.rejected())

    def rejected(self) -> int:
        """How many messages were no call event."""
        return self._number("SELECT COUNT(*) FROM rejected_events")

    def wait_for(self, recorded: int) -> float:
        """Wait until so many are recorded; the seconds that took.

        Raises:
            ServiceError: they were not within two minutes.
        """
        began = time.monotonic()
        wait_until(lambda: self.recorded() >= recorded, _CATCH_UP_SECONDS, f"{recorded} calls")
        return time.monotonic() - began

    def settle(self) -> None:
        """Wait until nothing is on its way: the spool is delivered and the topic recorded.

        Raises:
            ServiceError: that was not so within two minutes.
        """
        wait_until(
            lambda: (
                self._spooled_bytes() == 0
                and self.recorded() == messages_in(self._kafka, self._topic)
            ),
            _CATCH_UP_SECONDS,
            "the recorder to have all there is",
        )

    def age_seconds(self) -> float:
        """How old the newest row is."""
        with self._mariadb.cursor(self._database) as cursor:
            cursor.execute("SELECT timestamp FROM calls ORDER BY id DESC LIMIT 1")
            row = cursor.fetchone()
        if row is None:
            return 0.0
        newest: datetime = row[0].replace(tzinfo=UTC)
        return (datetime.now(UTC) - newest).total_seconds()

    def _number(self, query: str) -> int:
        with self._mariadb.cursor(self._database) as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        if row is None:
            raise ServiceError(f"no answer to {query}")
        return int(row[0])

    def _spooled_bytes(self) -> int:
        reader = SpoolReader(self._spool, Reader.durable)
        try:
            return reader.backlog_bytes()
        finally:
            reader.close()


class LagWatch:
    """Samples the age of the newest row, in a thread, from its making until `stop`."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._ages: list[float] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)
        self._thread.start()

    def stop(self) -> Lag:
        """End, and say what was seen; the last sample is taken now."""
        at_end = self._history.age_seconds()
        self._ending.set()
        self._thread.join()
        ages = [*self._ages, at_end]
        return Lag(round(statistics.median(ages), 3), round(max(ages), 3), round(at_end, 3))

    def _run(self) -> None:
        while not self._ending.wait(_SAMPLE_SECONDS):
            self._ages.append(self._history.age_seconds())


class Ledger:
    """Compares calls answered with rows, from one quiet moment to the next."""

    def __init__(self) -> None:
        self._rows = 0
        self._recorded = 0

    def balance(self, history: History, answered: int, dropped: int, lag: Lag) -> Recorded:
        """Wait until history holds what was answered since the last time, and count it.

        Args:
            history: of a database that was empty when this ledger was made.
            answered: the calls that were answered since.
            dropped: how many more may have been recorded without an answer.
            lag: as it was under the load.

        Raises:
            ServiceError: history did not get there.
        """
        catch_up_seconds = history.wait_for(self._recorded + answered)
        history.settle()
        before, self._rows = self._rows, history.rows()
        self._recorded = history.recorded()
        return Recorded(
            answered,
            self._rows - before,
            answered + dropped,
            history.rejected(),
            lag,
            round(catch_up_seconds, 3),
        )
