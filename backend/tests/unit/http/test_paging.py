"""Opaque cursors."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.errors import ValidationFailedError
from madang.http.paging import decode_cursor, encode_cursor


@given(st.integers(-(2**63), 2**64 - 1))
def test_cursor_number_comes_back(position: int) -> None:
    assert decode_cursor("things", encode_cursor("things", position), int) == position


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_cursor_text_comes_back(position: str) -> None:
    assert decode_cursor("things", encode_cursor("things", position), str) == position


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_cursor_from_nowhere_is_refused(cursor: str) -> None:
    with pytest.raises(ValidationFailedError):
        decode_cursor("things", cursor, int)


def test_cursor_of_another_list_or_type_is_refused() -> None:
    for cursor in (encode_cursor("others", 1), encode_cursor("things", "1")):
        with pytest.raises(ValidationFailedError) as caught:
            decode_cursor("things", cursor, int)
        assert [error.field for error in caught.value.errors] == ["cursor"]
