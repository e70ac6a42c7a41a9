import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.calls.event import (
    RejectedEventError,
    decode,
    encode,
    first_id_at,
    milliseconds_of,
    new_call_id,
)
from tests.unit.calls.builders import NOON, call

moments = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.just(UTC),
)


@given(moments, moments)
def test_call_ids_sort_as_their_microseconds_do(one: datetime, other: datetime) -> None:
    if abs(one - other) >= timedelta(microseconds=1):
        assert (new_call_id(one) < new_call_id(other)) == (one < other)


@given(moments)
def test_first_id_bounds_the_calls_of_its_moment_from_below(moment: datetime) -> None:
    assert first_id_at(moment) <= new_call_id(moment)
    assert new_call_id(moment - timedelta(microseconds=1)) < first_id_at(moment)


@given(moments)
def test_call_id_is_version_7_and_carries_its_milliseconds(moment: datetime) -> None:
    made = new_call_id(moment)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert milliseconds_of(made) == int(
        (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1)
    )


def test_event_survives_its_json() -> None:
    event = call(user_id="마당지기", message="읽음")
    assert decode(encode(event)) == event


def test_event_json_has_the_contract_fields() -> None:
    assert list(json.loads(encode(call()))) == [
        "id", "timestamp", "service_name", "instance", "method", "endpoint", "path", "status",
        "duration_us", "user_id", "trace_id", "message", "schema",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "schema"),
        ({"status": 42}, "status"),
        ({"path": "/" * 2049}, "path"),
        ({"trace_id": "xyz"}, "trace_id"),
        ({"timestamp": "2030-05-17T12:00:00"}, "timestamp"),
        ({"timestamp": "2030-05-17T12:00:09Z"}, "does not carry the timestamp"),
        ({"id": "0af76519-16cd-43dd-8448-eb211c80319c"}, "version 7"),
        ({"method": None}, "method"),
    ],
)
def test_event_with_a_wrong_field_is_rejected_by_name(
    change: dict[str, object], reason: str
) -> None:
    fields = json.loads(encode(call())) | change
    with pytest.raises(RejectedEventError, match=reason):
        decode(json.dumps(fields).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"{}"])
def test_bytes_that_are_no_event_are_rejected(raw: bytes) -> None:
    with pytest.raises(RejectedEventError):
        decode(raw)


def test_oversized_event_is_rejected_before_it_is_read() -> None:
    with pytest.raises(RejectedEventError, match="20000 bytes"):
        decode(b" " * 20000)


def test_moment_of_the_builder_has_microseconds() -> None:
    assert call().timestamp == NOON
