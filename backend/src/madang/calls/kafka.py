"""What all Kafka clients of Madang share: their configuration, the topic, and its identifier."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._topic import TopicDescription
from confluent_kafka.cimpl import NewTopic

from madang.errors import ConfigurationError, KafkaUnavailableError
from madang.settings import KafkaSecurity, Settings

log = structlog.get_logger(__name__)

Client = TypeVar("Client")

TRACEPARENT_HEADER = "traceparent"
FORMER_TOPIC_HEADER = "madang-former-topic"
"""What the shipper knows of the topic that was deleted before this one was made."""

ADMIN_SECONDS = 10.0
DESCRIBE_SECONDS = 3.0
_MAY_NOT_CREATE = frozenset(
    {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
)
_SASL = frozenset({KafkaSecurity.sasl_plaintext, KafkaSecurity.sasl_ssl})


def client_config(settings: Settings) -> dict[str, Any]:
    """The librdkafka properties that say how to reach and trust the brokers.

    Raises:
        ConfigurationError: a variable is missing.
    """
    config: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.require_kafka_bootstrap()),
        "security.protocol": settings.kafka_security_protocol.value,
        "client.id": "madang",
        "reconnect.backoff.max.ms": 2000,
        "socket.keepalive.enable": True,
        "error_cb": _ErrorLog(),
        "log_level": 3,
    }
    if settings.kafka_security_protocol in _SASL:
        if not settings.kafka_sasl_username:
            raise ConfigurationError("MADANG_KAFKA_SASL_USERNAME is not set")
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.get_secret_value(),
        }
    if settings.kafka_ssl_ca is not None:
        if not settings.kafka_ssl_ca.is_file():
            raise ConfigurationError(f"MADANG_KAFKA_SSL_CA: no file {settings.kafka_ssl_ca}")
        config["ssl.ca.location"] = str(settings.kafka_ssl_ca)
    return config


def connected(client: Callable[[dict[str, Any]], Client], config: dict[str, Any]) -> Client:
    """Make a client, which connects by itself later.

    Raises:
        ConfigurationError: librdkafka does not accept a property.
    """
    try:
        return client(config)
    except (KafkaException, ValueError) as error:
        raise ConfigurationError(f"MADANG_KAFKA_*: {error}") from None


class _ErrorLog:
    """Logs what librdkafka reports, once for each run of the same error."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN or error.code() == self._last:
            return
        self._last = error.code()
        log.warning("kafka_error", code=error.name(), reason=error.str())


def description_of(
    admin: AdminClient, topic: str, seconds: float = DESCRIBE_SECONDS
) -> Future[TopicDescription]:
    """The topic's description, once a broker has answered; a KafkaException where none does."""
    wanted = TopicCollection([topic])
    answers: dict[str, Future[TopicDescription]]
    answers = admin.describe_topics(wanted, request_timeout=seconds)
    return answers[topic]


def topic_id(config: dict[str, Any], topic: str) -> str:
    """The identifier that this creation of the topic has, asked by a client of its own.

    Raises:
        KafkaUnavailableError: no broker answers, or there is no such topic.
    """
    admin = connected(AdminClient, config)
    try:
        return str(description_of(admin, topic).result().topic_id)
    except KafkaException as error:
        raise KafkaUnavailableError(f"Topic {topic}: {error.args[0].str()}") from error


def create_topic(settings: Settings) -> str:
    """Make the topic where it is missing; a line that says what was done.

    Where it is there, the right to describe it is enough.

    Raises:
        KafkaUnavailableError: no broker answers, or it refuses.
    """
    admin = connected(AdminClient, client_config(settings))
    wanted = NewTopic(
        settings.kafka_topic,
        num_partitions=settings.kafka_partitions,
        replication_factor=settings.kafka_replication,
        config=_topic_config(settings.kafka_replication),
    )
    future = admin.create_topics([wanted], request_timeout=ADMIN_SECONDS)[settings.kafka_topic]
    try:
        future.result()
    except KafkaException as error:
        kafka_error: KafkaError = error.args[0]
        code = kafka_error.code()
        # A broker says whether one may create a topic before it says whether there is one.
        if code == KafkaError.TOPIC_ALREADY_EXISTS or (
            code in _MAY_NOT_CREATE and _exists(admin, settings.kafka_topic)
        ):
            return f"Topic {settings.kafka_topic} exists"
        raise KafkaUnavailableError(f"Topic {settings.kafka_topic}: {kafka_error.str()}") from error
    return (
        f"Topic {settings.kafka_topic} created: {settings.kafka_partitions} partitions, "
        f"replication {settings.kafka_replication}"
    )


def _exists(admin: AdminClient, topic: str) -> bool:
    try:
        description_of(admin, topic, ADMIN_SECONDS).result()
    except KafkaException:
        return False
    return True


def _topic_config(replication: int) -> dict[str, str]:
    in_sync = max(1, replication - 1)
    return {"min.insync.replicas": str(in_sync), "compression.type": "producer"}
