from typing import Any

from confluent_kafka import KafkaError, Message

from madang.calls.kafka import FORMER_TOPIC_HEADER, TRACEPARENT_HEADER
from madang.calls.received import received_from
from madang.calls.recorder import RawEvent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def message(offset: int, **changed: Any) -> Message:
    fields: dict[str, Any] = {"topic": "api-logs", "partition": 0, "offset": offset, "value": b"{}"}
    return Message(**(fields | changed))


def test_messages_are_sorted_by_partition_with_their_traces_and_the_offset_after_each() -> None:
    traced = [(TRACEPARENT_HEADER, TRACE.encode()), ("another", b"x")]
    received = received_from(
        [message(4, headers=traced), message(9, partition=2, value=None), message(5)]
    )
    assert received.events == {
        0: [RawEvent(b"{}", 5, TRACE), RawEvent(b"{}", 6)],
        2: [RawEvent(b"", 10)],
    }
    assert (received.former_topics, received.faults) == (set(), [])


def test_news_of_a_former_topic_are_told_once_however_many_messages_carry_them() -> None:
    news = [(FORMER_TOPIC_HEADER, b"gone"), (TRACEPARENT_HEADER, TRACE.encode())]
    other = [(FORMER_TOPIC_HEADER, b"gone before")]
    received = received_from(
        [message(0, headers=news), message(1, headers=news), message(2, headers=other)]
    )
    assert received.former_topics == {b"gone", b"gone before"}
    assert [event.traceparent for event in received.events[0]] == [TRACE, TRACE, ""]


def test_headers_that_are_not_ours_do_no_harm() -> None:
    headers = [(TRACEPARENT_HEADER, "\xff".encode("latin-1")), (FORMER_TOPIC_HEADER, None)]
    received = received_from([message(0, headers=headers)])
    assert received.events[0][0].traceparent == "\N{REPLACEMENT CHARACTER}"
    assert received.former_topics == set()


def test_fault_is_no_event() -> None:
    fault = KafkaError(KafkaError._PARTITION_EOF)
    received = received_from([message(7, error=fault), message(7)])
    assert received.faults == [fault]
    assert received.events == {0: [RawEvent(b"{}", 8)]}
