"""What text may hold."""

import pytest

from madang.text import fold, one_line, plain_text


@pytest.mark.parametrize("text", ["a", "두 줄\n그리고\t탭", "👩‍💻", "", "é", "x\u200by"])
def test_plain_text_readable_passes(text: str) -> None:
    assert plain_text(text) == text


@pytest.mark.parametrize(
    "text", ["\x00", "a\x07b", "a\rb", "\x7f", "\x85", "\ud800", "\u200b", "\u3164", "\u00a0"]
)
def test_plain_text_unreadable_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Cc]ontrol|visible"):
        plain_text(text)


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\u2028b", "abc\u202edcba", "a\x00"])
def test_one_line_what_breaks_or_turns_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        one_line(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kim", "kIM"),
        ("하늘", "\u1112\u1161\u1102\u1173\u11af"),
        ("ＫＩＭ", "kim"),
        ("Straße", "STRASSE"),
    ],
)
def test_fold_same_name_in_another_form_is_equal(one: str, other: str) -> None:
    assert fold(one) == fold(other)
