"""The rules of usernames and display names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.accounts.names import (
    LONGEST_USERNAME_KEY,
    clean_display_name,
    clean_username,
    username_key,
)

LETTERS = st.characters(categories=["L", "Nd"]) | st.sampled_from("_.-")


def _is_username(name: str) -> bool:
    try:
        clean_username(name)
    except ValueError:
        return False
    return True


USERNAMES = st.text(LETTERS, min_size=2, max_size=32).filter(_is_username)


@pytest.mark.parametrize("name", ["ab", "하늘", "Ünal_9", "a.b-c", "山田", "x" * 32, "Ёлка"])
def test_username_of_letters_digits_and_signs_is_kept_as_typed(name: str) -> None:
    assert clean_username(name) == name


def test_username_decomposed_is_stored_composed() -> None:
    assert clean_username(unicodedata.normalize("NFD", "하늘")) == "하늘"


@pytest.mark.parametrize(
    "name",
    ["a", "", "x" * 33, "a b", "a\tb", "a/b", "(deleted)", "a\u200bb", "\u3164\u3164", "a\ud800",
     "a\x00b", "😀😀", "ﷺﷺ", "a@b"],
)  # fmt: skip
def test_username_against_a_rule_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"Needs|May hold"):
        clean_username(name)


@given(USERNAMES)
def test_username_key_is_stable_and_fits_its_column(name: str) -> None:
    key = username_key(name)
    assert username_key(key) == key
    assert len(key) <= LONGEST_USERNAME_KEY


@given(USERNAMES, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_username_key_is_the_same_in_every_unicode_form(name: str, form: str) -> None:
    formed = unicodedata.normalize(form, name)  # type: ignore[arg-type]  # one of the four forms
    assert username_key(formed) == username_key(name)


@given(USERNAMES)
def test_username_key_is_the_same_case_folded(name: str) -> None:
    assert username_key(name.casefold()) == username_key(name)


def test_display_name_loses_spaces_around_it() -> None:
    assert clean_display_name("  김 하늘 ") == "김 하늘"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb", "a\u202eb", "\u200b"])
def test_display_name_against_a_rule_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"Needs|allowed|visible"):
        clean_display_name(name)
