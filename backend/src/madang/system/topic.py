"""How far the topic of the call log reaches, asked of the brokers themselves."""

from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # public

from madang.calls.kafka import client_config, connected, description_of
from madang.errors import KafkaUnavailableError
from madang.settings import Settings
from madang.system.models import TopicEnds

ANSWER_SECONDS = 1.5
"""A broker that hangs must not hold up what else a process says of itself."""

Answer = TypeVar("Answer")


class TopicReach:
    """Asks with a client of its own, so that nothing waits that delivers or records."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is connected before the first `check`.

        Raises:
            ConfigurationError: a variable of Kafka is missing or wrong.
        """
        self._topic = settings.kafka_topic
        self._config = client_config(settings)
        self._admin = connected(AdminClient, self._config)
        self._ends: TopicEnds | None = None

    def check(self) -> None:
        """For readiness: ask for the topic and its ends.

        Raises:
            KafkaUnavailableError: no broker answers, the topic is missing or access is denied.
        """
        try:
            self._ends = self._ask()
        except KafkaUnavailableError:
            self._ends = None
            # A client that was told of a controller asks for ever whether that one is back.
            self._admin = connected(AdminClient, self._config)
            raise

    def ends(self) -> TopicEnds | None:
        """What the last `check` found; None where it failed."""
        return self._ends

    def _ask(self) -> TopicEnds:
        described = self._answer(description_of(self._admin, self._topic, ANSWER_SECONDS))
        numbers = sorted(partition.id for partition in described.partitions)
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # without types there
        wanted = {TopicPartition(self._topic, number): latest for number in numbers}
        found = self._admin.list_offsets(wanted, request_timeout=ANSWER_SECONDS)
        ends = {part.partition: self._answer(future).offset for part, future in found.items()}
        return TopicEnds(
            topic_id=str(described.topic_id), offsets=[ends[number] for number in numbers]
        )

    def _answer(self, future: "Future[Answer]") -> Answer:
        try:
            return future.result(2 * ANSWER_SECONDS)
        except KafkaException as error:
            raise KafkaUnavailableError(f"Topic {self._topic}: {error.args[0].str()}") from error
        except FutureTimeoutError as error:
            raise KafkaUnavailableError(f"Topic {self._topic}: no answer") from error
