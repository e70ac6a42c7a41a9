"""Kafka that asks for a name and a password: what its settings do, and what wrong ones say."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.cimpl import NewTopic

from tests.services.errors import ServiceError
from tests.services.kafka_secured import LIMITED, PASSWORD, USERNAME, SecuredKafka, secured_kafka
from tests.services.redis import Redis
from tests.services.stack import Dependencies, Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def secured(services_directory: Path) -> Iterator[SecuredKafka]:
    with secured_kafka(services_directory / "kafka-secured") as kafka:
        yield kafka


def _settings(kafka: SecuredKafka, protocol: str) -> dict[str, str]:
    return {
        "MADANG_KAFKA_BOOTSTRAP": kafka.sasl_ssl
        if protocol == "SASL_SSL"
        else kafka.sasl_plaintext,
        "MADANG_KAFKA_SECURITY_PROTOCOL": protocol,
        "MADANG_KAFKA_SASL_USERNAME": USERNAME,
        "MADANG_KAFKA_SASL_PASSWORD": PASSWORD,
        "MADANG_KAFKA_PARTITIONS": "1",
        "MADANG_KAFKA_COMPRESSION": "none",
        **({"MADANG_KAFKA_SSL_CA": str(kafka.authority)} if protocol == "SASL_SSL" else {}),
    }


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ("SASL_SSL", "SCRAM-SHA-512"),
    ],
)
def test_calls_reach_history_through_a_broker_with_passwords(
    protocol: str,
    mechanism: str,
    services_directory: Path,
    fresh_database_url: str,
    redis_server: Redis,
    secured: SecuredKafka,
) -> None:
    dependencies = Dependencies(
        fresh_database_url, redis_server.empty(0), "", topic=f"secured-{uuid4().hex[:8]}"
    )
    stack = Stack(
        services_directory / f"stack-{dependencies.topic}",
        dependencies,
        environment=_settings(secured, protocol) | {"MADANG_KAFKA_SASL_MECHANISM": mechanism},
    )
    with stack.running(orderly=False), httpx.Client(base_url=stack.url) as visitor:
        made = visitor.post("/api/users", json={"username": "someone", "password": "x" * 16})
        call = made.headers["Madang-Call"]

        wait_until(lambda: visitor.get(f"/api/logs/kafka/{call}").is_success, 30, "the call")


@pytest.fixture
def admin(secured: SecuredKafka) -> AdminClient:
    return secured.admin()


@pytest.fixture
def limited(secured: SecuredKafka, admin: AdminClient, services_directory: Path) -> Stack:
    """A board whose user may describe its topic, and not create it."""
    topic = f"limited-{uuid4().hex[:8]}"
    rule = AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        f"User:{LIMITED}",
        "*",
        AclOperation.DESCRIBE,
        AclPermissionType.ALLOW,
    )
    for done in admin.create_acls([rule]).values():
        done.result(10)
    dependencies = Dependencies("sqlite:///never-opened.db", "redis://127.0.0.1:1", "", topic)
    environment = _settings(secured, "SASL_SSL") | {"MADANG_KAFKA_SASL_USERNAME": LIMITED}
    return Stack(services_directory / f"stack-{topic}", dependencies, environment=environment)


def test_topic_that_may_not_be_created_is_enough_when_it_exists(
    admin: AdminClient, limited: Stack
) -> None:
    with pytest.raises(ServiceError, match=": Authorization failed"):
        limited.run("topics")
    topic = limited.environment["MADANG_KAFKA_TOPIC"]
    admin.create_topics([NewTopic(topic, 1)])[topic].result(10)
    assert limited.run("topics") == f"Topic {topic} exists\n"


WRONG: Mapping[str, tuple[Mapping[str, str], str]] = {
    "password": ({"MADANG_KAFKA_SASL_PASSWORD": "another"}, "invalid credentials"),
    "mechanism": ({"MADANG_KAFKA_SASL_MECHANISM": "PLAIN"}, "Unsupported SASL mechanism"),
    "authority": ({"MADANG_KAFKA_SSL_CA": ""}, "certificate verify failed"),
    "no name": ({"MADANG_KAFKA_SASL_USERNAME": ""}, "MADANG_KAFKA_SASL_USERNAME is not set"),
}


@pytest.fixture(scope="module")
def refusals(secured: SecuredKafka, services_directory: Path) -> Mapping[str, str]:
    """What each of the wrong settings leads to; side by side, as each is tried for ten seconds."""

    def refusal(case: str) -> str:
        wrong, _ = WRONG[case]
        changed = {**_settings(secured, "SASL_SSL"), **wrong}
        settings = {name: value for name, value in changed.items() if value}
        dependencies = Dependencies("sqlite:///never-opened.db", "redis://127.0.0.1:1", "")
        stack = Stack(services_directory / "stack-wrong", dependencies, environment=settings)
        with pytest.raises(ServiceError) as failed:
            stack.run("topics")
        return str(failed.value)

    with ThreadPoolExecutor(len(WRONG)) as side_by_side:
        return dict(zip(WRONG, side_by_side.map(refusal, WRONG), strict=True))


@pytest.mark.parametrize("case", WRONG)
def test_wrong_credentials_say_what_is_wrong(case: str, refusals: Mapping[str, str]) -> None:
    _, words = WRONG[case]
    assert words in refusals[case]


def test_shipper_that_is_sent_to_a_controller_says_so_and_goes_on(
    secured: SecuredKafka, redis_server: Redis, services_directory: Path
) -> None:
    dependencies = Dependencies(
        "sqlite:///never-opened.db", redis_server.empty(0), secured.controller
    )
    ship = Stack(services_directory / "stack-controller", dependencies).ship
    ship.log.parent.mkdir()
    try:
        ship.start()
        wait_until(lambda: ship.log.read_text().count("_UNSUPPORTED_FEATURE") > 1, 30, "a new try")
        assert ship.running
    finally:
        ship.stop()
