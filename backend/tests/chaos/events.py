"""Messages put into the topic past the shipper, and read back past the recorder."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from madang.calls.event import CallEvent, encode, new_call_id
from tests.services.kafka import Kafka
from tests.unit.calls.builders import call

PARTITIONS = 3
PAUSE_SECONDS = 0.01
_ANSWER_SECONDS = 30


def call_now(ahead: timedelta = timedelta(0)) -> CallEvent:
    """A plausible call of this moment, or from a sender whose clock runs ahead."""
    moment = datetime.now(UTC) + ahead
    return call(id=new_call_id(moment), timestamp=moment)


def produce(cluster: Kafka, topic: str, values: Sequence[bytes], partition: int = 0) -> None:
    """Put messages into a partition; all are acknowledged at the end."""
    acknowledged: list[KafkaError | None] = []

    def delivered(fault: KafkaError | None, _message: Message) -> None:
        acknowledged.append(fault)

    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
    for value in values:
        producer.produce(
            topic,
            value,
            partition=partition,
            on_delivery=delivered,
        )
    producer.flush(_ANSWER_SECONDS)
    assert acknowledged == [None] * len(values)


def messages(cluster: Kafka, topic: str, offsets: dict[int, int]) -> list[Message]:
    """All that a topic holds now, from these offsets of its partitions (0 where none is named)."""
    options: dict[str, str | int | float | bool] = {
        "bootstrap.servers": cluster.bootstrap,
        "group.id": "nobody",
        "enable.auto.commit": False,
    }
    found: list[Message] = []
    with closing(Consumer(options)) as consumer:
        for partition in range(PARTITIONS):
            here = TopicPartition(topic, partition, offsets.get(partition, 0))
            _, end = consumer.get_watermark_offsets(here, timeout=_ANSWER_SECONDS)
            consumer.assign([here])
            wanted = end - here.offset
            read: list[Message] = []
            while len(read) < wanted:
                read += consumer.consume(wanted - len(read), _ANSWER_SECONDS)
            assert all(message.error() is None for message in read)
            found += read
    return found


def call_id_of(message: Message) -> UUID:
    """The call that a message is about."""
    return msgspec.json.decode(message.value() or b"", type=CallEvent).id


class Feeder:
    """Puts calls of its own into all partitions, where a single shipper uses but one."""

    def __init__(self, cluster: Kafka, topic: str) -> None:
        self._producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all"})
        self._topic = topic
        self._stop = threading.Event()
        self.acknowledged: list[UUID] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Feed inside the block; what was sent is acknowledged at its end."""
        thread = threading.Thread(target=self._run, name="feeder")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            for partition in range(PARTITIONS):
                self._send(call_now(), partition)
            self._producer.poll(0)
        self._producer.flush(_ANSWER_SECONDS)

    def _send(self, event: CallEvent, partition: int) -> None:
        def delivered(fault: KafkaError | None, _message: Message) -> None:
            if fault is None:
                self.acknowledged.append(event.id)

        self._producer.produce(
            self._topic, encode(event), partition=partition, on_delivery=delivered
        )
