"""Passwords."""

import unicodedata

import pytest

from madang.accounts.passwords import Passwords, check_password, owasp_hasher
from tests.board import quick_hasher


def test_passwords_verify_the_right_one_only() -> None:
    passwords = Passwords(quick_hasher())
    stored = passwords.hash("비밀번호 여덟")
    assert passwords.verify(stored, "비밀번호 여덟")
    assert not passwords.verify(stored, "비밀번호 아홉")


def test_passwords_verify_in_any_unicode_form() -> None:
    passwords = Passwords(quick_hasher())
    stored = passwords.hash("비밀번호 여덟")
    assert passwords.verify(stored, unicodedata.normalize("NFD", "비밀번호 여덟"))


def test_passwords_nobody_is_never_verified() -> None:
    passwords = Passwords(quick_hasher())
    assert not passwords.verify(None, "the password of nobody")


@pytest.mark.parametrize("stored", ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$broken"])
def test_passwords_broken_hash_is_not_verified(stored: str) -> None:
    assert not Passwords(quick_hasher()).verify(stored, "anything")


def test_passwords_with_other_parameters_are_outdated() -> None:
    old, new = Passwords(quick_hasher(1)), Passwords(quick_hasher(2))
    assert new.is_outdated(old.hash("password"))
    assert not new.is_outdated(new.hash("password"))


def test_passwords_hash_with_the_parameters_of_owasp() -> None:
    assert Passwords(owasp_hasher()).hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["1234567", "x" * 129])
def test_check_password_of_wrong_length_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="Needs 8 to 128"):
        check_password(password)
