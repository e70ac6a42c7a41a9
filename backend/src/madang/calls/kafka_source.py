"""Kafka as a recorder's source."""

import logging
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

import msgspec
import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from sqlalchemy import Connection

from madang.calls import offsets
from madang.calls.kafka import client_config, connected, topic_id
from madang.calls.received import received_from
from madang.calls.recorder import Batch, RawEvent
from madang.calls.standstill import Standstill
from madang.calls.topic_question import TopicQuestion
from madang.calls.topic_watch import Creation
from madang.db.engine import Database
from madang.errors import KafkaUnavailableError, UnavailableError
from madang.settings import Settings

log = structlog.get_logger(__name__)

MOST_MESSAGES = 10_000
SESSION_MILLISECONDS = 10_000
WATERMARK_SECONDS = 10.0


class KafkaSource:
    """A member of the recorders' consumer group.

    Where a partition begins is read from the database when it is assigned; the group's own
    committed offsets follow behind and only inform tools that show the lag. Clients are made anew
    when the topic was made again, when an offset is gone, and when this recorder records nothing
    while messages wait in a partition, its own or not: a client may have been given it and not
    know.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        waiting: Callable[[str], Mapping[int, int]],
    ) -> None:
        """Nothing is connected before the first `poll`.

        `waiting` says of a creation of the topic which partitions hold what is not recorded, and
        the next offset to record of each.
        """
        self._config = client_config(settings)
        self._group = settings.kafka_group
        self._topic = settings.kafka_topic
        self._database = database
        self._waiting = waiting
        self._standstill = Standstill()
        self._question = TopicQuestion(self._config, self._topic)
        self._consumer: Consumer | None = None
        self._topic_id = ""
        self._former: set[bytes] = set()
        self._positions: dict[int, int] = {}
        self._gaps: dict[int, int] = {}

    def poll(self, timeout_seconds: float) -> Sequence[Batch]:
        """Up to 10,000 messages, as one batch a partition.

        Raises:
            KafkaUnavailableError: no broker answers, the topic is missing or access is denied.
            DatabaseUnavailableError: it does not say what is recorded.
        """
        consumer = self._consumer or self._connect()
        if self._is_outdated():
            self.close()
            return []
        received = received_from(consumer.consume(MOST_MESSAGES, timeout_seconds))
        self._hear_of_former_topics(received.former_topics)
        if self._consumer is None:
            return []
        batches = self._batches(consumer, received.events)
        for error in received.faults:
            self._report(error, is_alone=not batches)
        return batches

    def recorded(self, batch: Batch) -> None:
        """Move on, and tell the group without waiting."""
        self._standstill.progressed()
        if self._consumer is not None and self._is_ours(batch):
            self._positions[batch.partition] = batch.end
            position = TopicPartition(self._topic, batch.partition, batch.end)
            self._consumer.commit(offsets=[position], asynchronous=True)

    def seek(self, batch: Batch, offset: int | None) -> None:
        """Go back, or ahead; nothing if the partition has been given to another."""
        if self._consumer is None or not self._is_ours(batch):
            return
        if offset is None:
            del self._positions[batch.partition]
        else:
            self._go_to(self._consumer, batch.partition, offset)

    def close(self) -> None:
        """Leave the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._positions.clear()
        self._gaps.clear()

    def _is_ours(self, batch: Batch) -> bool:
        return batch.topic_id == self._topic_id and batch.partition in self._positions

    def _connect(self) -> Consumer:
        self._topic_id = topic_id(self._config, self._topic)
        self._standstill.begin()
        consumer = connected(
            Consumer,
            {
                **self._config,
                "group.id": self._group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "session.timeout.ms": SESSION_MILLISECONDS,
                "partition.assignment.strategy": "cooperative-sticky",
                "fetch.queue.backoff.ms": 20,
                "fetch.wait.max.ms": 100,
                # For the whole client: a few polls' worth.
                "queued.min.messages": 2 * MOST_MESSAGES,
                "queued.max.messages.kbytes": 16_384,
                "topic.metadata.refresh.interval.ms": 10_000,
            },
        )
        consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        self._consumer = consumer
        return consumer

    def _is_outdated(self) -> bool:
        """Whether the topic was made again, or messages wait that no recorder takes."""
        found = self._question.answer()
        if found is not None and found != self._topic_id:
            self._say_made_again()
            return True
        stalled = self._standstill.found(partial(self._waiting, self._topic_id))
        if stalled:
            log.warning("record_stalled", next_offsets=stalled, assigned=sorted(self._positions))
        return bool(stalled)

    def _say_made_again(self) -> None:
        log.warning(
            "topic_made_again",
            topic=self._topic,
            former_id=self._topic_id,
            recorded=self._positions,
        )

    def _hear_of_former_topics(self, news: AbstractSet[bytes]) -> None:
        """Count what a deletion of the topic destroyed, as far as the shipper can know it."""
        for raw in news - self._former:
            try:
                former = msgspec.json.decode(raw, type=Creation)
            except msgspec.MsgspecError as error:
                log.warning("former_topic_unreadable", reason=str(error))
            else:
                if former.topic_id == self._topic_id:
                    self._say_made_again()
                    self.close()
                    return
                self._count_lost(former)
            self._former.add(raw)

    def _count_lost(self, former: Creation) -> None:
        """Raises DatabaseUnavailableError; what came is then read again from its position."""
        for partition, end in former.ends.items():
            with self._database.write() as connection:
                recorded = _known_offset(connection, former.topic_id, partition)
                if lost := max(0, end - recorded):
                    offsets.move(connection, former.topic_id, partition, end, lost=lost)
            log.log(
                logging.ERROR if lost else logging.INFO,
                "calls_lost" if lost else "former_topic_recorded",
                topic_id=former.topic_id,
                partition=partition,
                recorded=recorded,
                lost=lost,
            )

    def _batches(self, consumer: Consumer, events: Mapping[int, Sequence[RawEvent]]) -> list[Batch]:
        batches = []
        for partition, found in events.items():
            if partition not in self._positions:
                self._find_position(consumer, partition)
            elif continued := self._continued(consumer, partition, found):
                begin, end = self._positions[partition], continued[-1].end
                batches.append(Batch(self._topic_id, partition, begin, end, continued, partition))
        return batches

    def _find_position(self, consumer: Consumer, partition: int) -> None:
        """For a partition whose offset was not known when it was assigned; what came is dropped."""
        try:
            begin = self._begin(consumer, partition)
        except UnavailableError as error:
            log.warning("offset_unknown", partition=partition, reason=error.detail)
        else:
            self._go_to(consumer, partition, begin)

    def _continued(
        self, consumer: Consumer, partition: int, events: Sequence[RawEvent]
    ) -> Sequence[RawEvent]:
        """What continues at the partition's position.

        Messages that begin behind it may follow ones that were dropped on the way here, so the
        partition is read again from its position; a gap that stays is the topic's own.
        """
        position = self._positions[partition]
        kept = [event for event in events if event.end > position]
        first = kept[0].end - 1 if kept else position
        if first == position or self._gaps.pop(partition, None) == first:
            return kept
        self._gaps[partition] = first
        self._go_to(consumer, partition, position)
        return []

    def _go_to(self, consumer: Consumer, partition: int, offset: int) -> None:
        self._positions[partition] = offset
        try:
            consumer.seek(TopicPartition(self._topic, partition, offset))
        except KafkaException as error:
            log.warning("seek_failed", partition=partition, reason=str(error))
            self.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._standstill.begin()
        for partition in partitions:
            try:
                partition.offset = self._positions[partition.partition] = self._begin(
                    consumer, partition.partition
                )
            except UnavailableError as error:
                # Asked again before anything of this partition is handed out.
                log.warning("offset_unknown", partition=partition.partition, reason=error.detail)
                partition.offset = OFFSET_BEGINNING
        consumer.incremental_assign(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in partitions:
            self._positions.pop(partition.partition, None)
        consumer.incremental_unassign(partitions)

    def _begin(self, consumer: Consumer, partition: int) -> int:
        """Where to begin: the database's offset, moved up to the log's start if that is later."""
        low = _first_offset(consumer, self._topic, partition)
        with self._database.write() as connection:
            stored = _known_offset(connection, self._topic_id, partition)
            if stored < low:
                log.error("calls_lost", partition=partition, lost=low - stored)
                offsets.move(connection, self._topic_id, partition, low, lost=low - stored)
                return low
        return stored

    def _report(self, error: KafkaError, *, is_alone: bool) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            return
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            log.warning("offset_out_of_range", reason=error.str())
            self.close()
        elif is_alone:
            raise KafkaUnavailableError(error.str()) from KafkaException(error)


def _first_offset(consumer: Consumer, topic: str, partition: int) -> int:
    """The first offset that a partition still holds."""
    try:
        found = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=WATERMARK_SECONDS
        )
    except KafkaException as error:
        raise KafkaUnavailableError(f"Topic {topic}: {error.args[0].str()}") from error
    if found is None:
        raise KafkaUnavailableError(f"Topic {topic}: partition {partition} does not answer")
    return found[0]


def _known_offset(connection: Connection, topic_id: str, partition: int) -> int:
    """The next offset to record, locked; 0 of a partition that is now known for the first time."""
    stored = offsets.lock(connection, topic_id, partition)
    if stored is None:
        offsets.begin(connection, topic_id, partition)
    return stored or 0
