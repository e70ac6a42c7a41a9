"""Server-sent events as bytes, and positions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.errors import ValidationFailedError
from madang.live.frames import (
    Change,
    Topic,
    compose,
    end_frame,
    one_line,
    parse_position,
    parse_topics,
    position_of,
)
from tests.unit.live.builders import Event, parse_events

BOTH = parse_topics(None)


def test_compose_gives_each_event_the_position_that_was_sent_up_to_there() -> None:
    changes: dict[Topic, Change] = {
        "calls": Change("c2", [b'{"n":1}', b'{"n":2}']),
        "messages": Change("m1", [b'{"type":"created"}']),
    }

    frame = compose(BOTH, {"calls": "c0", "messages": "m0"}, changes)

    assert parse_events(frame.decode()) == [
        Event("calls", [{"n": 1}, {"n": 2}], "calls=c2,messages=m0"),
        Event("messages", [{"type": "created"}], "calls=c2,messages=m1"),
    ]


def test_compose_tells_all_gaps_in_one_event_and_sends_nothing_of_their_topics() -> None:
    changes: dict[Topic, Change] = {
        "calls": Change("c9", [b"{}"], gap=True),
        "messages": Change("m9", gap=True),
    }

    frame = compose(BOTH, {"calls": "c0", "messages": "m0"}, changes)

    gap = Event("gap", {"topics": ["calls", "messages"]}, "calls=c9,messages=m9")
    assert parse_events(frame.decode()) == [gap]


def test_compose_leaves_out_other_topics_and_is_empty_without_a_change() -> None:
    cursors: dict[Topic, str] = {"calls": "c0", "messages": "m0"}

    assert compose(("messages",), cursors, {"calls": Change("c1", [b"{}"])}) == b""
    frame = compose(("messages",), cursors, {"messages": Change("m1", [b"{}"])})
    assert parse_events(frame.decode()) == [Event("messages", [{}], "messages=m1")]


def test_the_end_says_why() -> None:
    assert parse_events(end_frame("session_ended").decode()) == [
        Event("end", {"reason": "session_ended"})
    ]


def test_payloads_with_line_breaks_stay_one_line() -> None:
    frame = compose(
        ("calls",), {"calls": "0"}, {"calls": Change("1", [one_line(b'{\r\n"a":1\n}')])}
    )

    assert parse_events(frame.decode())[0].data == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        (None, ("calls", "messages")),
        ("messages,calls", ("calls", "messages")),
        ("calls", ("calls",)),
        (" messages ", ("messages",)),
        ("calls,calls", ("calls",)),
    ],
)
def test_parse_topics_puts_them_in_order(text: str | None, topics: tuple[str, ...]) -> None:
    assert parse_topics(text) == topics


@pytest.mark.parametrize("text", ["", "calls,", "users", "calls;messages", "calls,\0"])
def test_parse_topics_refuses_unknown_ones_by_name(text: str) -> None:
    with pytest.raises(ValidationFailedError) as refusal:
        parse_topics(text)

    assert [error.field for error in refusal.value.errors] == ["topics"]


def test_parse_position_reads_what_position_of_writes() -> None:
    cursors = {"calls": "1795466541525-0", "messages": "0f3a.12"}

    assert parse_position(
        position_of(BOTH, {"calls": "1795466541525-0", "messages": "0f3a.12"})
    ) == (cursors)


@given(st.text())
def test_parse_position_gives_only_harmless_cursors(text: str) -> None:
    for cursor in parse_position(text).values():
        assert cursor.isascii()
        assert not set(cursor) & set("\r\n,= ")


def test_parse_position_of_rubbish_is_empty() -> None:
    assert parse_position("calls=" + "9" * 300) == {}
    assert parse_position("calls=1\n2,messages=마당,x") == {}
