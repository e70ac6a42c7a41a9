"""Which programs the tests use."""

from pathlib import Path

import pytest

from tests.deploy import tools
from tests.services.errors import ServiceMissingError

pytestmark = pytest.mark.deploy


def put(directory: Path, name: str) -> None:
    """A program that says where it is."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text('#!/bin/sh\necho "$0"\n')
    (directory / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of which only its PATH and its cache matter."""
    monkeypatch.setenv("MADANG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return tmp_path


def test_what_is_built_goes_before_what_a_distribution_brings(machine: Path) -> None:
    built, brought = machine / "cache" / "kube" / "bin", machine / "path"
    put(brought, "prometheus")
    assert tools.run("prometheus").stdout == f"{brought / 'prometheus'}\n"

    put(built, "prometheus")
    assert tools.run("prometheus").stdout == f"{built / 'prometheus'}\n"


def test_what_is_nowhere_is_named(machine: Path) -> None:
    with pytest.raises(ServiceMissingError, match="no-such-program"):
        tools.run(f"no-such-program-{machine.name}")
