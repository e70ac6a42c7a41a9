"""One event becomes one line, without secrets."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import use_span
from pydantic import SecretStr

from madang.telemetry import bind_request_id, traceparent_of
from madang.telemetry.lines import ConsoleLines, Fields, JsonLines, encode_line
from tests.unit.telemetry.builders import read_one

NOON = datetime(2026, 3, 1, 12, 0, 0, 7, UTC)

to_json = JsonLines(Fields("madang-test", lambda: NOON))


def line_of(event: str, level: str = "info", **values: object) -> dict[str, object]:
    """The line of one event, read back."""
    return read_one(to_json(None, level, {"event": event, **values}))


def test_line_has_the_fields_in_order() -> None:
    assert list(line_of("started", port=5000).items()) == [
        ("timestamp", "2026-03-01T12:00:00.000007Z"),
        ("level", "info"),
        ("event", "started"),
        ("service_name", "madang-test"),
        ("port", 5000),
    ]


def test_line_names_the_current_span() -> None:
    span = TracerProvider(ALWAYS_OFF).get_tracer("test").start_span("GET")
    with use_span(span):
        line = line_of("inside")
    assert traceparent_of(span) == f"00-{line['trace_id']}-{line['span_id']}-02"
    assert "trace_id" not in line_of("outside")


def test_line_has_the_bound_request_id() -> None:
    bind_request_id("abc-1")
    try:
        assert line_of("inside")["request_id"] == "abc-1"
    finally:
        bind_request_id("")
    assert "request_id" not in line_of("outside")


def test_line_of_an_exception_has_its_traceback() -> None:
    try:
        int("no such\nnumber")
    except ValueError as error:
        given = line_of("failed", "error", exc_info=error)
        in_hand = line_of("failed", "error", exc_info=True)
    text = str(given["exception"])
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("with base 10: 'no such\\nnumber'")
    assert in_hand == given
    assert "exception" not in line_of("fine", exc_info=False)


@given(
    event=st.text(),
    values=st.dictionaries(
        st.text().filter(lambda name: name != "exc_info"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
            max_leaves=10,
        ),
    ),
)
def test_line_is_one_line_whatever_the_values_are(event: str, values: dict[str, object]) -> None:
    read_one(to_json(None, "info", {**values, "event": event}))


class Hostile:
    """A value that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("not today")


def test_line_keeps_going_with_values_json_does_not_know() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    line = line_of("odd", hostile=Hostile(), cycle=cycle, lone="\ud800", number=2**200, calls=3)
    assert line["hostile"] == "<Hostile>"
    assert line["lone"] == "\ud800"
    assert line["calls"] == 3
    assert line["number"] == 2**200


def test_line_hides_secrets() -> None:
    line = line_of("login", password="hunter22", key=SecretStr("hunter22"), url="kept")
    assert line["password"] == "[hidden]"
    assert "hunter22" not in json.dumps(line)
    failed = line_of("no_database", reason="cannot reach mariadb://app:hunter22@db:3306/board")
    assert failed["reason"] == "cannot reach mariadb://app:***@db:3306/board"
    assert line_of("kept", url="http://h:80/a@b")["url"] == "http://h:80/a@b"


def test_console_line_is_for_people() -> None:
    render = ConsoleLines(Fields("madang-test", lambda: NOON), colors=False)
    written = render(None, "warning", {"event": "slow", "token": "abc", "lone": "\ud800"}).decode()
    assert written.startswith("12:00:00Z [warning")
    assert "slow" in written
    assert "abc" not in written


def test_encode_line_ends_with_its_only_newline() -> None:
    assert encode_line({"event": "a\nb\r\u2028"}).count(b"\n") == 1
