"""The rules of usernames and display names; pure."""

import unicodedata

from madang.text import fold, is_visible, one_line

SHORTEST_USERNAME = 2
LONGEST_USERNAME = 32
LONGEST_USERNAME_KEY = 64
LONGEST_DISPLAY_NAME = 64

_SIGNS = frozenset("_.-")


def clean_username(typed: str) -> str:
    """The username as it is stored: as typed, in Unicode's composed form (NFC).

    Raises:
        ValueError: it breaks a rule; the text says which.
    """
    username = unicodedata.normalize("NFC", typed)
    if not SHORTEST_USERNAME <= len(username) <= LONGEST_USERNAME:
        raise ValueError(f"Needs {SHORTEST_USERNAME} to {LONGEST_USERNAME} characters")
    key = username_key(username)
    if not all(map(_may_stand_in_username, username + key)) or len(key) > LONGEST_USERNAME_KEY:
        raise ValueError("May hold letters of any script, digits, and the signs _ . -")
    return username


def username_key(username: str) -> str:
    """The same for every letter case and Unicode form of a username."""
    return fold(username)


def clean_display_name(typed: str) -> str:
    """The display name as it is stored, without spaces around it.

    Raises:
        ValueError: it breaks a rule; the text says which.
    """
    name = one_line(unicodedata.normalize("NFC", typed).strip())
    if not 1 <= len(name) <= LONGEST_DISPLAY_NAME:
        raise ValueError(f"Needs 1 to {LONGEST_DISPLAY_NAME} characters")
    return name


def _may_stand_in_username(character: str) -> bool:
    category = unicodedata.category(character)
    is_letter = category.startswith("L") and is_visible(character)
    return is_letter or category == "Nd" or character in _SIGNS
