"""Asking the brokers, in the background, which creation of the topic there is."""

import time
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._topic import TopicDescription

from madang.calls.kafka import connected, description_of

ASK_SECONDS = 5.0


class TopicQuestion:
    """Asks every five seconds and never waits.

    An administrating client that was told of a controller keeps asking that one when its broker
    dies, so each question that nobody answers is the last of its client.
    """

    def __init__(self, config: dict[str, Any], topic: str) -> None:
        """`config` is librdkafka's."""
        self._config = config
        self._topic = topic
        self._admin: AdminClient | None = None
        self._asked: Future[TopicDescription] | None = None
        self._asked_at = float("-inf")

    def ask_again(self) -> None:
        """Ask at once; what was asked before is not waited for."""
        self._asked, self._asked_at = None, float("-inf")

    def answer(self) -> str | None:
        """The topic's identifier, once for each answer; None where there is no topic or no news."""
        if self._asked is None:
            self._ask()
            return None
        if not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        try:
            return str(asked.result().topic_id)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                self._admin = None
            return None

    def _ask(self) -> None:
        now = time.monotonic()
        if now - self._asked_at > ASK_SECONDS:
            self._asked_at = now
            self._admin = self._admin or connected(AdminClient, self._config)
            self._asked = description_of(self._admin, self._topic)
