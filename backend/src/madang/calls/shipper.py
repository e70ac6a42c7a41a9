"""The shipper: reads the spool and delivers each call to Kafka.

Kafka and the live store (see `live_shipper`) have a cursor each in every segment. Kafka is the
durable one: its cursor moves only when the brokers have acknowledged, and a segment goes when that
cursor is at its end.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from opentelemetry.trace import Span, SpanKind

from madang.calls.in_flight import Progress, Sent
from madang.calls.kafka import (
    FORMER_TOPIC_HEADER,
    TRACEPARENT_HEADER,
    client_config,
    connected,
)
from madang.calls.spool import HEADER_BYTES, Reader, Record, Segment, SpoolReader
from madang.calls.topic_question import TopicQuestion
from madang.calls.topic_watch import Creation, TopicWatch
from madang.clock import rfc3339, utc_now
from madang.settings import Settings
from madang.telemetry import Figures, Telemetry, is_sampled, parse_traceparent, traceparent_of

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.05
"""How long calls gather before they are sent together: what is sent one by one costs tenfold."""

FULL_BATCH = 500
RETRY_SECONDS = 1.0
STALLED_SECONDS = 30.0
DRAIN_SECONDS = 8.0
MOST_IN_FLIGHT = 20_000

_REFUSED_FOR_GOOD = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.RECORD_LIST_TOO_LARGE,
    }
)


class KafkaShipper:
    """Delivers the spool to Kafka: acks=all, idempotent, never giving up."""

    def __init__(
        self,
        settings: Settings,
        reader: SpoolReader,
        telemetry: Telemetry,
        *,
        key: str,
        live_is_behind: Callable[[Segment], bool],
    ) -> None:
        """`key` chooses the partition; `live_is_behind` spares a segment that Kafka has."""
        self._config = {
            **client_config(settings),
            "acks": "all",
            "enable.idempotence": True,
            "message.timeout.ms": 0,
            "linger.ms": 5,
            "compression.type": settings.kafka_compression.value,
            "queue.buffering.max.messages": MOST_IN_FLIGHT * 2,
            "topic.metadata.refresh.interval.ms": 10_000,
        }
        self._topic = settings.kafka_topic
        self._reader = reader
        self._telemetry = telemetry
        telemetry.ship_sent.add(0)  # an alarm on growth sees none in a count that begins at one
        self._key = key.encode()
        self._live_is_behind = live_is_behind
        self._sent = 0
        self._acknowledged_at: datetime | None = None
        directory = settings.require_spool_dir()
        self._refusals: Path = directory / "refused"
        question = TopicQuestion(client_config(settings), self._topic)
        self._watch = TopicWatch(question, directory)
        self._connect()

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set, then what is left, for up to eight seconds."""
        while not stop.is_set():
            if self.step() < FULL_BATCH:
                stop.wait(GATHER_SECONDS)
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.backlog_bytes() and time.monotonic() < deadline:
            self.step()
            self._poll(GATHER_SECONDS)
        left = self.backlog_bytes()
        if left:
            log.warning("ship_stopped_with_backlog", bytes=left)

    def step(self) -> int:
        """Send what is new, settle what is acknowledged; how many calls were sent."""
        if self._watch.made_again():
            self._begin_again()
        sent = 0
        for segment in self._reader.segments():
            sent += self._send(self._progress_of(segment))
        self._poll()
        self._settle()
        if self._must_restart or self._has_stalled():
            self._reconnect()
        return sent

    def backlog_bytes(self) -> int:
        """What no broker has acknowledged yet."""
        return self._reader.backlog_bytes()

    def close(self) -> None:
        """Drop what is on its way; it stays in the spool."""
        self._producer.purge()
        self._poll()

    def _connect(self) -> None:
        self._producer = connected(Producer, self._config)
        self._progress: dict[str, Progress] = {}
        self._must_restart = False
        self._moved_at = time.monotonic()

    def _poll(self, seconds: float = 0) -> None:
        """Let the producer call back. It raises an error that is fatal: to itself, not to us."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            log.warning("ship_waits", code=error.args[0].name(), reason=error.args[0].str())
            self._must_restart = True

    def _reconnect(self) -> None:
        """Begin again from the cursors; what was acknowledged unseen will be sent twice."""
        log.warning("ship_reconnects", in_flight=self._in_flight())
        self.close()
        threading.Event().wait(RETRY_SECONDS)
        self._connect()

    def _begin_again(self) -> None:
        """Send all that the spool still has: what the former topic held may be recorded nowhere."""
        self.close()
        for segment in self._reader.segments():
            segment.advance(HEADER_BYTES)
        self._connect()

    def _has_stalled(self) -> bool:
        return self._in_flight() > 0 and time.monotonic() - self._moved_at > STALLED_SECONDS

    def _in_flight(self) -> int:
        return sum(len(progress.in_flight) for progress in self._progress.values())

    def _progress_of(self, segment: Segment) -> Progress:
        if segment.name not in self._progress:
            self._progress[segment.name] = Progress(segment, segment.cursor())
        return self._progress[segment.name]

    def _send(self, progress: Progress) -> int:
        if self._in_flight() >= MOST_IN_FLIGHT:
            return 0
        records = progress.segment.read(progress.read_to)
        for record in records:
            self._produce(record, progress, progress.send(record.end))
        return len(records)

    def _produce(self, record: Record, progress: Progress, sent: Sent) -> None:
        span = self._span(record.traceparent)
        former = self._watch.former
        headers = _headers(traceparent_of(span) if span else record.traceparent, former)

        def delivered(error: KafkaError | None, message: Message | None) -> None:
            if span is not None:
                span.end()
            if error is not None:
                self._not_delivered(error, record, sent)
            elif message is not None:
                sent.done = True
                self._note_place(progress, message)
                self._watch.told(former)
                self._sent += 1
                self._acknowledged_at = utc_now()
                self._telemetry.ship_sent.add(1)

        while True:
            try:
                self._producer.produce(
                    self._topic,
                    record.event,
                    self._key,
                    headers=headers,
                    on_delivery=delivered,
                )
            except BufferError:
                self._poll(0.1)
            except KafkaException as error:
                delivered(error.args[0], None)
                return
            else:
                return

    def _note_place(self, progress: Progress, message: Message) -> None:
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None:
            return
        if self._watch.acknowledged(partition, offset):
            progress.lies_at(partition, offset)

    def _span(self, traceparent: str) -> Span | None:
        if not is_sampled(traceparent):
            return None
        context = parse_traceparent(traceparent)
        return self._telemetry.tracer.start_span("api-logs send", context, SpanKind.PRODUCER)

    def _not_delivered(self, error: KafkaError, record: Record, sent: Sent) -> None:
        if error.code() in _REFUSED_FOR_GOOD:
            self._keep_refused(error, record, sent)
        elif error.code() != KafkaError._PURGE_QUEUE and error.code() != KafkaError._PURGE_INFLIGHT:
            log.warning("ship_waits", code=error.name(), reason=error.str())
            self._must_restart = True

    def _keep_refused(self, error: KafkaError, record: Record, sent: Sent) -> None:
        """Where even that cannot be written, it stays in the spool and is tried again."""
        path = self._refusals / f"{time.time_ns()}.json"
        try:
            self._refusals.mkdir(exist_ok=True)
            path.write_bytes(record.event)
        except OSError as fault:
            path.unlink(missing_ok=True)
            log.warning("ship_waits", code=error.name(), reason=f"{path}: {fault.strerror}")
            self._must_restart = True
        else:
            sent.done = True
            log.error("event_refused", code=error.name(), reason=error.str(), kept=path.name)

    def _settle(self) -> None:
        moved = False
        for name, progress in list(self._progress.items()):
            moved = progress.settle() or moved
            if self._is_finished(progress):
                self._watch.segment_deleted(progress.ends)
                self._reader.remove(progress.segment)
                del self._progress[name]
        if moved or not self._in_flight():
            self._moved_at = time.monotonic()

    def _is_finished(self, progress: Progress) -> bool:
        segment = progress.segment
        return (
            not progress.in_flight
            and not segment.has_writer()
            and segment.is_delivered(Reader.durable)
            and not self._live_is_behind(segment)
        )

    def figures(self) -> Figures:
        """How many calls Kafka has acknowledged since the start, and when it did so last."""
        at = self._acknowledged_at
        return {"sent": self._sent, "last_acknowledged_at": None if at is None else rfc3339(at)}


def _headers(traceparent: str, former: Creation | None) -> list[tuple[str, str | bytes | None]]:
    headers: list[tuple[str, str | bytes | None]] = []
    if traceparent:
        headers.append((TRACEPARENT_HEADER, traceparent.encode()))
    if former is not None:
        headers.append((FORMER_TOPIC_HEADER, msgspec.json.encode(former)))
    return headers
