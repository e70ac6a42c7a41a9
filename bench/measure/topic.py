"""Calls put straight into a topic, as `ship` would, without api or spool."""

import threading
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # its own __all__ lacks it

from madang.calls.event import CallEvent, encode
from madang.calls.kafka import TRACEPARENT_HEADER
from tests.services.errors import ServiceError
from tests.services.kafka import Kafka

_FLUSH_SECONDS = 60
_QUEUE_FULL_SECONDS = 0.05
_POLL_EVERY = 1000
_ANSWER_SECONDS = 10


class TopicWriter:
    """Produces calls as the shipper does: keyed by instance, acknowledged, compressed."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._topic = topic
        self._refused: KafkaError | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.bootstrap,
                "acks": "all",
                "linger.ms": 20,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
            }
        )

    def write(self, events: Iterable[CallEvent]) -> int:
        """Produce all and wait for their acknowledgement; how many.

        Raises:
            ServiceError: some were not acknowledged.
        """
        count = 0
        for count, event in enumerate(events, start=1):
            self._produce(event)
            if count % _POLL_EVERY == 0:
                self._producer.poll(0)
        left = self._producer.flush(_FLUSH_SECONDS)
        if left or self._refused:
            raise ServiceError(f"{left} calls not acknowledged; {self._refused}")
        return count

    def _produce(self, event: CallEvent) -> None:
        trace = traceparent_of(event)
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    encode(event),
                    event.instance.encode(),
                    headers=[(TRACEPARENT_HEADER, trace.encode())],
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(_QUEUE_FULL_SECONDS)
            else:
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._refused = error or self._refused


def traceparent_of(event: CallEvent) -> str:
    """Of a trace that is not sampled, as nine of ten are."""
    return f"00-{event.trace_id}-{event.id.hex[16:]}-00"


def in_real_time(
    events: Iterable[CallEvent], stop: threading.Event, every_seconds: float = 0.05
) -> Iterator[CallEvent]:
    """Each event once its own time has come, until `stop` is set."""
    for event in events:
        early = event.timestamp.timestamp() - time.time()
        if early > 0:
            stop.wait(max(early, every_seconds))
        if stop.is_set():
            return
        yield event


def messages_in(kafka: Kafka, topic: str) -> int:
    """How many messages the topic has ever been given.

    Raises:
        KafkaException: no broker answers.
    """
    partitions = kafka.admin.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
    asked = {
        TopicPartition(topic, number): OffsetSpec.latest()  # type: ignore[no-untyped-call]
        for number in partitions
    }
    answers = kafka.admin.list_offsets(asked)
    return sum(answer.result(_ANSWER_SECONDS).offset for answer in answers.values())
