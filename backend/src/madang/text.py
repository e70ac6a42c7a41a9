"""What text may hold, and when two names count as one."""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS_LINE = re.compile(r"[\t\n\u2028\u2029]")
_TURNS_DIRECTION = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Hangul fillers: letters to Unicode, nothing to the eye."""


def plain_text(text: str) -> str:
    r"""Give `text` back if people can read it: no control characters but `\n` and `\t`.

    Raises:
        ValueError: it holds control characters or lone surrogates, or nothing visible.
    """
    if _CONTROL.search(text):
        raise ValueError("Control characters are not allowed")
    if text and not any(map(is_visible, text)):
        raise ValueError("Has nothing visible in it")
    return text


def one_line(text: str) -> str:
    """Give `text` back if it is plain, on one line, and does not turn the writing direction.

    Raises:
        ValueError: it is not.
    """
    if _BREAKS_LINE.search(text) or _TURNS_DIRECTION.search(text):
        raise ValueError("Line breaks, tabs and direction marks are not allowed")
    return plain_text(text)


def is_visible(character: str) -> bool:
    """Whether the character shows: no space, no format sign, no filler."""
    return unicodedata.category(character)[0] not in "CZ" and character not in _INVISIBLE_LETTERS


def fold(text: str) -> str:
    """The same key for every letter case and Unicode form of a name (NFKC_Casefold, UAX 31)."""
    for _ in range(2):  # folding can leave what normalises again, e.g. U+1E9B with a dot below
        text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text)
