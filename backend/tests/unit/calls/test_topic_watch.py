from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Uuid
from confluent_kafka.admin._topic import TopicDescription

from madang.calls import topic_watch
from madang.calls.topic_watch import Creation, TopicWatch

ONE, TWO, THREE = (Uuid(0, number) for number in (1, 2, 3))


class Broker:
    """Answers at once with the topic it is told to have, or that there is none."""

    def __init__(self) -> None:
        self.topic_id: Uuid | None = None

    def __call__(self) -> Future[TopicDescription]:
        answer: Future[TopicDescription] = Future()
        if self.topic_id is None:
            answer.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        else:
            answer.set_result(TopicDescription("api-logs", self.topic_id, False, []))
        return answer


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def watched(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], TopicWatch]:
    """Makes a watch over the same directory, as a shipper that starts does."""
    monkeypatch.setattr(topic_watch, "CHECK_SECONDS", -1.0)
    return lambda: TopicWatch(broker, tmp_path)


def sees(watch: TopicWatch, broker: Broker, topic_id: Uuid | None) -> bool:
    """Ask, and take the answer."""
    broker.topic_id = topic_id
    assert not watch.made_again()
    return watch.made_again()


def test_first_topic_is_no_news(watched: Callable[[], TopicWatch], broker: Broker) -> None:
    watch = watched()
    assert not sees(watch, broker, ONE)
    assert not sees(watch, broker, ONE)
    assert watch.former is None


def test_topic_made_again_is_news_once_and_tells_what_only_the_former_held(
    watched: Callable[[], TopicWatch], broker: Broker
) -> None:
    watch = watched()
    sees(watch, broker, ONE)
    watch.segment_deleted({0: 10, 2: 5})
    watch.segment_deleted({0: 7, 1: 3})
    assert not sees(watch, broker, None)
    assert sees(watch, broker, TWO)
    assert not sees(watch, broker, TWO)
    assert watch.former == Creation(str(ONE), {0: 10, 1: 3, 2: 5})


def test_news_ends_when_a_broker_has_taken_it(
    watched: Callable[[], TopicWatch], broker: Broker
) -> None:
    watch = watched()
    sees(watch, broker, ONE)
    sees(watch, broker, TWO)
    watch.told(None)
    assert sees(watched(), broker, TWO)
    watch.told(watch.former)
    again = watched()
    assert not sees(again, broker, TWO)


def test_shipper_that_was_killed_before_it_could_tell_has_the_news_again(
    watched: Callable[[], TopicWatch], broker: Broker
) -> None:
    first = watched()
    sees(first, broker, ONE)
    first.segment_deleted({1: 4})
    assert sees(first, broker, TWO)
    second = watched()
    assert sees(second, broker, TWO)
    assert second.former == Creation(str(ONE), {1: 4})


def test_topic_made_again_twice_before_it_was_told_is_told_of_the_first(
    watched: Callable[[], TopicWatch], broker: Broker
) -> None:
    watch = watched()
    sees(watch, broker, ONE)
    watch.segment_deleted({0: 4})
    assert sees(watch, broker, TWO)
    assert sees(watch, broker, THREE)
    assert watch.former == Creation(str(ONE), {0: 4})


def test_offset_that_goes_back_is_not_of_the_topic_that_is_known(
    watched: Callable[[], TopicWatch], broker: Broker
) -> None:
    watch = watched()
    sees(watch, broker, ONE)
    assert watch.acknowledged(0, 7)
    assert watch.acknowledged(1, 2)
    assert not watch.acknowledged(0, 3)
    assert not watch.acknowledged(0, 8)
    assert sees(watch, broker, TWO)
    assert watch.acknowledged(0, 4)


def test_file_that_is_damaged_is_made_again(
    watched: Callable[[], TopicWatch], broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / topic_watch.FILE).write_bytes(b"{")
    watch = watched()
    assert not sees(watch, broker, ONE)
    assert sees(watched(), broker, TWO)
