"""Certificates of servers on this machine, by openssl."""

from pathlib import Path

from tests.services.process import Account, find_program, run


def certify_itself(directory: Path, name: str, account: Account | None) -> tuple[Path, Path]:
    """A key and a certificate for 127.0.0.1 that is its own authority, both of this account."""
    key, certificate = directory / f"{name}-key.pem", directory / f"{name}.pem"
    argv = [find_program("openssl"), "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    argv += ["-newkey", "rsa:2048", "-keyout", str(key), "-out", str(certificate)]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1"]
    run("openssl", argv, log=directory / "openssl.log", account=account)
    return key, certificate
