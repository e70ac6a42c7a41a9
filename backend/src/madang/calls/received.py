"""What a poll of Kafka brought, each message looked at once."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, Message

from madang.calls.kafka import FORMER_TOPIC_HEADER, TRACEPARENT_HEADER
from madang.calls.recorder import RawEvent


class Received(NamedTuple):
    """Events of each partition, in order; news of former topics; and what is no message."""

    events: dict[int, list[RawEvent]]
    former_topics: set[bytes]
    faults: list[KafkaError]


def received_from(messages: Iterable[Message]) -> Received:
    """Tell apart what came. It is done for every call, so nothing is asked of a message twice."""
    events: defaultdict[int, list[RawEvent]] = defaultdict(list)
    received = Received(events, set(), [])
    for message in messages:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None:
            received.faults.append(error)
        elif partition is not None and offset is not None:
            traceparent = _headers(message, received.former_topics)
            events[partition].append(RawEvent(message.value() or b"", offset + 1, traceparent))
    return received


def _headers(message: Message, former_topics: set[bytes]) -> str:
    """The trace, "" for none; news of a former topic is added to what is known."""
    headers = dict(message.headers() or ())
    former = headers.get(FORMER_TOPIC_HEADER)
    if isinstance(former, bytes):
        former_topics.add(former)
    traceparent = headers.get(TRACEPARENT_HEADER)
    return traceparent.decode("ascii", "replace") if isinstance(traceparent, bytes) else ""
