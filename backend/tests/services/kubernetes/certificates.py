"""The certificates and keys of one control plane, by openssl."""

from dataclasses import dataclass
from pathlib import Path

from tests.services.process import find_program, run

# openssl's own configuration would add extensions of its own.
_CONFIGURATION = "[req]\ndistinguished_name = name\n[name]\n"
_AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature")
_CLIENT = ("extendedKeyUsage=clientAuth",)


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates into a directory: `<name>.crt` and `<name>.key`."""

    directory: Path
    name: str

    @property
    def certificate(self) -> Path:
        """What others trust."""
        return self.directory / f"{self.name}.crt"

    @property
    def key(self) -> Path:
        """What it signs with."""
        return self.directory / f"{self.name}.key"

    def certify(self, name: str, subject: str, *extensions: str) -> None:
        """A key and a certificate for it."""
        signer = ["-CA", str(self.certificate), "-CAkey", str(self.key)]
        _certificate(self.directory, name, subject, extensions, signer)


def authority(directory: Path, name: str) -> Authority:
    """A new one."""
    _certificate(directory, name, f"/CN={name}", _AUTHORITY, [])
    return Authority(directory, name)


def certify(directory: Path, names: list[str]) -> None:
    """All certificates and keys of a control plane.

    Args:
        directory: is made.
        names: of the API server, as `IP:10.0.0.1` and `DNS:kubernetes`.
    """
    directory.mkdir(mode=0o700)
    (directory / "openssl.cnf").write_text(_CONFIGURATION)
    ca = authority(directory, "ca")
    alternatives = f"subjectAltName={','.join(names)}"
    ca.certify("apiserver", "/CN=kube-apiserver", alternatives, "extendedKeyUsage=serverAuth")
    ca.certify("kubelet-client", "/O=system:masters/CN=apiserver-kubelet-client", *_CLIENT)
    authority(directory, "front-proxy-ca").certify("front-proxy", "/CN=front-proxy", *_CLIENT)
    # Signs the tokens of service accounts; only its key pair is of use.
    authority(directory, "accounts")


def _certificate(
    directory: Path, name: str, subject: str, extensions: tuple[str, ...], signer: list[str]
) -> None:
    argv = [find_program("openssl"), "req", "-x509", "-nodes", "-days", "30", "-subj", subject]
    argv += ["-config", str(directory / "openssl.cnf"), *signer]
    argv += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.crt")]
    for extension in extensions:
        argv += ["-addext", extension]
    run("openssl", argv, log=directory / "openssl.log", account=None)
