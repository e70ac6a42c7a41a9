"""The Makefile and the scripts behind it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services.nginx import REPOSITORY
from tests.services.workspace import cache_directory

SCRIPTS = sorted(path for path in (REPOSITORY / "scripts").glob("*.sh") if path.name != "lib.sh")
TOOLS = ("bash", "cut", "dirname", "find", "sed", "sha256sum", "sort", "xargs")


def run(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository."""
    return subprocess.run(
        argv,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def bare_machine(tmp_path: Path) -> str:
    """A PATH with what every machine has, and nothing to install more with."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (tmp_path / tool).symlink_to(found)
    return str(tmp_path)


def test_make_alone_lists_every_target_for_people() -> None:
    listed = run("make")
    assert listed.returncode == 0, listed.stderr
    names = set(re.findall(r"^  make ([a-z-]+) +\S", listed.stdout, re.MULTILINE))
    phony = re.findall(r"^\.PHONY: (.+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    declared = {name for line in phony for name in line.split()}
    assert {"help", "run", "up", "test", "check", "setup", "lock", "openapi", "clean"} <= names
    inner = {
        *("check-backend", "check-frontend", "check-scripts", "test-frontend"),
        *("cluster-tools", "cluster-images"),
    }
    assert declared - names == inner


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_explains_itself(script: Path) -> None:
    explained = run(script, "--help")
    assert explained.returncode == 0, explained.stderr
    assert explained.stdout.startswith(f"Usage: scripts/{script.name}")
    assert "set -euo pipefail" in script.read_text()


def test_cache_is_the_same_place_for_scripts_and_services(monkeypatch: pytest.MonkeyPatch) -> None:
    say = ("bash", "-c", "source scripts/lib.sh && cache_directory")
    assert run(*say).stdout.strip() == str(cache_directory())
    monkeypatch.setenv("MADANG_CACHE_DIR", "/somewhere/else")
    assert run(*say).stdout.strip() == str(cache_directory()) == "/somewhere/else"


def test_missing_packages_are_named_where_there_is_no_apt(bare_machine: str) -> None:
    told = run("bash", REPOSITORY / "scripts" / "setup-packages.sh", PATH=bare_machine)
    assert told.returncode == 1
    assert re.search(r"missing: .*chromium.*default-jre-headless maven", told.stderr)


def test_missing_node_is_named(bare_machine: str) -> None:
    told = run("bash", REPOSITORY / "scripts" / "setup-web.sh", PATH=bare_machine)
    assert told.returncode == 1
    assert "missing: Node 20.19 or newer, with npm" in told.stderr


def test_python_that_is_too_old_is_named(bare_machine: str, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    copy = tmp_path / "checkout"
    for part in ("scripts/lib.sh", "scripts/setup-python.sh", "scripts/uv.requirements"):
        (copy / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / part, copy / part)
    (copy / "backend").mkdir()
    for part in ("backend/requirements-dev.lock", "backend/pyproject.toml"):
        shutil.copy(REPOSITORY / part, copy / part)
    told = run("bash", copy / "scripts/setup-python.sh", PATH=bare_machine, PYTHON=str(old))
    assert told.returncode == 1
    assert "is not Python 3.11 or newer" in told.stderr


def test_second_setup_of_python_has_nothing_to_do() -> None:
    again = run(REPOSITORY / "scripts" / "setup-python.sh")
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""
