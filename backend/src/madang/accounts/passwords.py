"""Passwords: argon2id with OWASP's parameters (19 MiB, two passes, one lane)."""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 128


def owasp_hasher() -> PasswordHasher:
    """The parameters of the OWASP Password Storage Cheat Sheet."""
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_password(password: str) -> str:
    """Give a new password back if its length will do.

    Raises:
        ValueError: it is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise ValueError(f"Needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return password


class Passwords:
    """Hashes and verifies; the same password in any Unicode form is the same password."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or owasp_hasher()
        self._nobodys = self._hasher.hash("the password of nobody")

    def hash(self, password: str) -> str:
        """The text to store, with its parameters and salt in it."""
        return self._hasher.hash(_composed(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password fits.

        Without a stored hash the same work is done on nobody's, so that the time an answer takes
        does not say whether an account exists.
        """
        try:
            fits = self._hasher.verify(stored or self._nobodys, _composed(password))
        except (VerificationError, InvalidHashError):
            return False
        return fits and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)


def _composed(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
