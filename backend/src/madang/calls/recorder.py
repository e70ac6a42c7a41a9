"""The recorder: takes batches from a source and writes each once, with its statistics.

One transaction a batch: lock the partition's offset, write only if it stands where the batch
begins, drop events that history has, add the rest with their statistics, move the offset. So a
batch that is delivered again, or a recorder that wakes after another has taken its partition over,
changes nothing.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog
from opentelemetry.trace import Link, SpanKind, get_current_span
from sqlalchemy.exc import SQLAlchemyError

from madang.calls import history, kinds, offsets, statistics
from madang.calls.event import CallEvent, Counted, RejectedEventError, decode
from madang.calls.kinds import Kind, kind_of, number_of
from madang.calls.tallies import tally
from madang.clock import Clock, rfc3339
from madang.db.engine import Database
from madang.errors import UnavailableError
from madang.telemetry import Figures, Telemetry, is_sampled, parse_traceparent

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
"""How long a batch may gather: a transaction costs the same for twenty events as for hundreds."""
RETRY_SECONDS = 1.0
CLOCK_TOLERANCE = timedelta(seconds=10)
"""A call that is dated further ahead is counted under the moment of its receipt."""
MOST_SPANS = 16


class RawEvent(NamedTuple):
    """One message: what it holds, the offset after it, and its trace ("" for none)."""

    value: bytes
    end: int
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one partition, in order.

    `begin` is the offset up to which the source knew the partition to be recorded, `end` the one
    that will be next. `statistics_partition` is the partition whose statistics rows it adds to.
    """

    topic_id: str
    partition: int
    begin: int
    end: int
    events: Sequence[RawEvent]
    statistics_partition: int


class CallSource(Protocol):
    """Where a recorder's batches come from: Kafka, or the spool of the same machine.

    Batches of one partition come in order and each begins where the one before ended, until `seek`.
    """

    def poll(self, timeout_seconds: float) -> Sequence[Batch]:
        """What has come, waiting up to `timeout_seconds` for the first.

        Raises:
            UnavailableError: the source does not answer; trying again may help.
        """

    def recorded(self, batch: Batch) -> None:
        """Take note that `batch` is in the database."""

    def seek(self, batch: Batch, offset: int | None) -> None:
        """Begin the partition of `batch` again at `offset`, or where the database says if None."""

    def close(self) -> None:
        """Leave."""


class Recorder:
    """Writes what a source brings, until it is stopped."""

    def __init__(
        self,
        database: Database,
        source: CallSource,
        telemetry: Telemetry,
        clock: Clock,
        on_recorded: Callable[[Sequence[bytes]], None] | None = None,
    ) -> None:
        """`on_recorded` receives the new events, as JSON, after their transaction."""
        self._database = database
        self._source = source
        self._telemetry = telemetry
        self._clock = clock
        self._on_recorded = on_recorded
        self._lag_seconds = 0.0
        self._recorded = self._rejected = 0
        self._recorded_at: datetime | None = None
        self._fault = ""
        self._known_kinds: dict[Kind, int] = {}
        # An alarm on growth sees none in a count that begins with its first event.
        telemetry.record_rejected.add(0)
        telemetry.record_recorded.add(0)

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set. Faults of the source or the database are waited out."""
        while not stop.is_set():
            try:
                for batch in self._source.poll(POLL_SECONDS):
                    self._record_until_done(batch, stop)
                self._fault = ""
            except UnavailableError as error:
                self._fault = error.detail
                log.warning("record_waits", reason=error.detail, cause=str(error.__cause__))
                stop.wait(RETRY_SECONDS)
            except Exception:  # the log of calls goes on, and says that it is in trouble
                self._fault = "The recorder failed; its log says why"
                log.exception("record_failed")
                stop.wait(RETRY_SECONDS)

    def check(self) -> None:
        """For readiness.

        Raises:
            UnavailableError: calls are not being written into history at present.
        """
        if self._fault:
            raise UnavailableError(self._fault)

    def lag_seconds(self) -> float:
        """How old the newest event of the last batch was when it was written."""
        return self._lag_seconds

    def _record_until_done(self, batch: Batch, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.record_or_split(batch)
            except UnavailableError as error:
                log.warning("record_waits", reason=error.detail, cause=str(error.__cause__))
                stop.wait(RETRY_SECONDS)
            else:
                return
        self._source.seek(batch, None)

    def record_or_split(self, batch: Batch) -> bool:
        """As `record`; where the database refuses a batch for good, find the event it refuses."""
        try:
            return self.record(batch)
        except (SQLAlchemyError, ValueError, ArithmeticError) as error:
            if len(batch.events) == 1:
                log.exception("event_refused_by_database", before_offset=batch.end)
                return self._record(batch, _refused(batch, str(error)))
        middle = len(batch.events) // 2
        between = batch.events[middle - 1].end
        first = replace(batch, end=between, events=batch.events[:middle])
        second = replace(batch, begin=between, events=batch.events[middle:])
        return self.record_or_split(first) and self.record_or_split(second)

    def record(self, batch: Batch) -> bool:
        """Write one batch; False, and the source sought back, if the offset stood elsewhere.

        Raises:
            UnavailableError: the database did not take it; nothing was written.
        """
        return self._record(batch, _read(batch))

    def _record(self, batch: Batch, content: "_Content") -> bool:
        now = self._clock()
        with self._spans(batch):
            try:
                new = self._write(batch, content, now)
            except _OutOfStepError as error:
                log.warning(
                    "record_out_of_step",
                    topic_id=batch.topic_id,
                    partition=batch.partition,
                    begin=batch.begin,
                    stored=error.stored,
                )
                self._source.seek(batch, error.stored)
                return False
        self._source.recorded(batch)
        self._tell(content, new)
        return True

    def _write(self, batch: Batch, content: "_Content", now: datetime) -> list[CallEvent]:
        """The transaction; returns the events that history did not have."""
        with self._database.write() as connection:
            stored = offsets.lock(connection, batch.topic_id, batch.partition)
            if stored != batch.begin:
                raise _OutOfStepError(stored)
            counted, fresh = self._counted(content, now)
            kinds.add(connection, fresh)
            new = history.add(connection, counted)
            statistics.add(connection, batch.statistics_partition, tally(new))
            offsets.reject(connection, batch.topic_id, batch.partition, now, content.rejected)
            offsets.move(connection, batch.topic_id, batch.partition, batch.end)
        self._known_kinds.update((kind, number_of(kind)) for kind in fresh)
        return [item.event for item in new]

    def _counted(self, content: "_Content", now: datetime) -> tuple[list[Counted], set[Kind]]:
        """The calls as they are written, and the kinds that were not met before."""
        ahead = now + CLOCK_TOLERANCE
        counted, fresh = [], set()
        for event in content.events.values():
            kind = kind_of(event)
            number = self._known_kinds.get(kind)
            if number is None:
                number = number_of(kind)
                fresh.add(kind)
            counted.append(Counted(event, number, now if event.timestamp > ahead else None))
        return counted, fresh

    def _tell(self, content: "_Content", new: Sequence[CallEvent]) -> None:
        if new:
            newest = max(event.timestamp for event in new)
            self._lag_seconds = max(0.0, (self._clock() - newest).total_seconds())
            self._recorded += len(new)
            self._recorded_at = self._clock()
        self._rejected += len(content.rejected)
        self._telemetry.record_recorded.add(len(new))
        for end, reason, _ in content.rejected:
            log.error("event_rejected", before_offset=end, reason=reason)
        self._telemetry.record_rejected.add(len(content.rejected))
        if self._on_recorded is not None and new:
            self._on_recorded([content.raw[event.id.int] for event in new])

    @contextmanager
    def _spans(self, batch: Batch) -> Iterator[None]:
        """A consumer span for each sampled trace; where they are many, one span that links them."""
        sampled = [item.traceparent for item in batch.events if is_sampled(item.traceparent)]
        name = "api-logs process"
        tracer = self._telemetry.tracer
        if len(sampled) > MOST_SPANS:
            contexts = [parse_traceparent(text) for text in sampled]
            links = [Link(get_current_span(context).get_span_context()) for context in contexts]
            spans = [tracer.start_span(name, contexts[0], SpanKind.CONSUMER, links=links)]
        else:
            spans = [
                tracer.start_span(name, parse_traceparent(text), SpanKind.CONSUMER)
                for text in sampled
            ]
        try:
            yield
        finally:
            for span in spans:
                span.set_attribute("messaging.batch.message_count", len(batch.events))
                span.end()

    def figures(self) -> Figures:
        """What was written since the start, and when last."""
        at = self._recorded_at
        return {
            "recorded": self._recorded,
            "last_recorded_at": None if at is None else rfc3339(at),
            "rejected": self._rejected,
        }


class _OutOfStepError(Exception):
    """The partition's offset does not stand where the batch begins."""

    def __init__(self, stored: int | None) -> None:
        super().__init__(f"stored offset {stored}")
        self.stored = stored


@dataclass(frozen=True, slots=True)
class _Content:
    """A batch, read: the events and their bytes by identifier, and what is no event.

    Identifiers are numbers here: a UUID's hash is computed in Python.
    """

    events: dict[int, CallEvent]
    raw: dict[int, bytes]
    rejected: list[tuple[int, str, bytes]]


def _read(batch: Batch) -> _Content:
    content = _Content({}, {}, [])
    for item in batch.events:
        try:
            event = decode(item.value)
        except RejectedEventError as error:
            content.rejected.append((item.end, str(error), item.value))
        else:
            content.events.setdefault(event.id.int, event)
            content.raw.setdefault(event.id.int, item.value)
    return content


def _refused(batch: Batch, reason: str) -> _Content:
    return _Content({}, {}, [(item.end, reason, item.value) for item in batch.events])
