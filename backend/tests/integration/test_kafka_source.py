"""A recorder's client of the brokers, which can be wrong about what it was given."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from uuid import UUID

import pytest
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import select

from madang.calls import kafka_source, standstill
from madang.calls.event import CallEvent, encode
from madang.calls.kafka import create_topic
from madang.calls.kafka_source import KafkaSource
from madang.calls.models import Call
from madang.calls.recorder import Recorder
from madang.clock import utc_now
from madang.db.engine import Database
from madang.errors import KafkaUnavailableError
from madang.settings import Settings
from madang.system.history_figures import waiting_offsets
from madang.system.topic import TopicReach
from tests.chaos.events import call_now, produce
from tests.services.kafka import Kafka
from tests.services.waiting import wait_until
from tests.unit.calls.builders import no_telemetry

pytestmark = pytest.mark.integration


Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


class ForgetfulConsumer(Consumer):
    """Notes each that is made; can let go of its partitions while its group thinks it has them."""

    made: list["ForgetfulConsumer"]

    def subscribe(
        self,
        topics: list[str],
        on_assign: Rebalanced | None = None,
        on_revoke: Rebalanced | None = None,
        on_lost: Rebalanced | None = None,
    ) -> None:
        """As a consumer, which notes what it was told."""
        assert on_lost is not None
        self.lost = on_lost
        self.made.append(self)
        super().subscribe(topics, on_assign, on_revoke, on_lost)

    def forget(self) -> None:
        """What librdkafka does with an assignment that it believes to be lost."""
        had = self.assignment()
        assert had
        self.lost(self, had)


@pytest.fixture
def consumers(monkeypatch: pytest.MonkeyPatch) -> list[ForgetfulConsumer]:
    """The consumers that a source has made, oldest first."""
    made: list[ForgetfulConsumer] = []
    monkeypatch.setattr(ForgetfulConsumer, "made", made, raising=False)
    monkeypatch.setattr(kafka_source, "Consumer", ForgetfulConsumer)
    monkeypatch.setattr(standstill, "LOOK_SECONDS", 2.0)
    return made


@contextmanager
def recording(settings: Settings, database: Database) -> Iterator[TopicReach]:
    """A recorder at work on the topic; what is yielded has to be asked, as by a process' watch."""
    reach = TopicReach(settings)
    source = KafkaSource(settings, database, partial(waiting_offsets, database, reach.ends))
    recorder = Recorder(database, source, no_telemetry(), utc_now)
    stop = threading.Event()
    thread = threading.Thread(target=recorder.run, args=[stop])
    thread.start()
    try:
        yield reach
    finally:
        stop.set()
        thread.join()
        source.close()


def is_recorded(database: Database, event: CallEvent) -> bool:
    """Whether a call is in history."""
    with database.read() as connection:
        found: UUID | None = connection.execute(
            select(Call.id).where(Call.id == event.id)
        ).scalar_one_or_none()
    return found is not None


def test_recorder_that_was_given_partitions_and_does_not_know_makes_a_new_client(
    board_database: Database, kafka_server: Kafka, consumers: list[ForgetfulConsumer]
) -> None:
    with kafka_server.topic() as topic:
        settings = Settings(
            kafka_bootstrap=(kafka_server.bootstrap,), kafka_topic=topic, kafka_group=topic
        )
        create_topic(settings)
        before, after = call_now(), call_now()
        with recording(settings, board_database) as reach:
            produce(kafka_server, topic, [encode(before)])
            wait_until(lambda: is_recorded(board_database, before), 30, "the first call")
            consumers[-1].forget()
            produce(kafka_server, topic, [encode(after)])

            def is_found_out() -> bool:
                with suppress(KafkaUnavailableError):
                    reach.check()
                return is_recorded(board_database, after)

            wait_until(is_found_out, 60, "the call behind it")
            assert len(consumers) > 1
