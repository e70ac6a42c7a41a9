"""What setup.sh makes, and how up.sh starts the system, with stand-ins for docker and podman."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.compose import DIRECTORY, SETUP, run, set_up

pytestmark = pytest.mark.deploy

STAND_IN = '#!/bin/sh\ncase "$*" in "compose version") exit {code} ;; esac\necho "ran: {name} $*"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The scripts where nobody has started anything."""
    copied = tmp_path / "compose"
    shutil.copytree(DIRECTORY, copied, ignore=shutil.ignore_patterns(".env"))
    return copied


def up(clone: Path, *arguments: str, **programs: int) -> subprocess.CompletedProcess[str]:
    """Run up.sh where these programs are, each with the status of `compose version`."""
    directory = clone.parent / "bin"
    directory.mkdir(exist_ok=True)
    for name, code in programs.items():
        program = directory / name.replace("_", "-")
        program.write_text(STAND_IN.format(name=program.name, code=code))
        program.chmod(0o755)
    return subprocess.run(
        [clone / "up.sh", *arguments],
        env={"PATH": f"{directory}:{_tools(clone.parent)}"},
        capture_output=True,
        text=True,
        check=False,
    )


def _tools(directory: Path) -> Path:
    """A PATH of what the scripts use and nothing else: no docker that this machine may have."""
    tools = directory / "tools"
    tools.mkdir(exist_ok=True)
    for name in ["bash", "sh", "cat", "dirname", "od", "tr", "head", "base64", "cut", "mv", "grep"]:
        found = shutil.which(name)
        assert found is not None
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    return tools


def test_up_makes_passwords_and_starts_everything(clone: Path) -> None:
    done = up(clone, "--kafka-nodes", "3", docker=0, podman_compose=0)

    assert done.returncode == 0, done.stderr
    file = clone / "compose.yaml"
    assert done.stdout.splitlines()[-1] == (
        f"ran: docker compose -f {file} up --detach --wait --build"
    )
    assert "KAFKA_NODES=3\n" in (clone / ".env").read_text()


def test_up_again_keeps_the_passwords(clone: Path) -> None:
    up(clone, docker=0)
    made = (clone / ".env").read_text()

    assert up(clone, docker=0).returncode == 0
    assert (clone / ".env").read_text() == made


def test_up_takes_podman_compose_where_docker_has_no_compose(clone: Path) -> None:
    done = up(clone, docker=1, podman_compose=0)

    assert done.stdout.splitlines()[-1] == (
        f"ran: podman-compose -f {clone / 'compose.yaml'} up --detach --build"
    )


def test_up_builds_nothing_that_comes_from_a_registry(clone: Path) -> None:
    up(clone, docker=0)
    environment = clone / ".env"
    environment.write_text(
        environment.read_text().replace("_REGISTRY=\n", "_REGISTRY=registry.example/\n")
    )

    assert "--build" not in up(clone, docker=0).stdout


def test_up_without_either_makes_nothing(clone: Path) -> None:
    done = up(clone)

    assert done.returncode == 1
    assert done.stderr == "error: neither docker compose nor podman-compose is here\n"
    assert not (clone / ".env").exists()


def test_setup_makes_passwords_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = set_up(tmp_path / "env")
    made = path.read_text()
    passwords = re.findall(r"^\w+(?:PASSWORD|SECRET_KEY)=(.*)$", made, re.MULTILINE)
    assert len(set(passwords)) == len(passwords) == 6
    assert all(re.fullmatch(r"[0-9a-f]{48}", password) for password in passwords)
    assert path.stat().st_mode & 0o777 == 0o600
    again = run(SETUP, "--output", path, "--kafka-nodes", "3")
    assert again.returncode == 0
    assert "stays as it is" in again.stdout
    assert path.read_text() == made


def test_setup_refuses_a_number_of_nodes_that_makes_no_quorum(tmp_path: Path) -> None:
    refused = run(SETUP, "--output", tmp_path / "env", "--kafka-nodes", "2")
    assert refused.returncode == 1
    assert refused.stderr == "error: --kafka-nodes must be 1 or 3, not '2'\n"
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("name", ["setup.sh", "up.sh"])
def test_scripts_explain_themselves(name: str) -> None:
    explained = run(DIRECTORY / name, "--help")
    assert explained.returncode == 0
    assert explained.stdout.startswith(f"Usage: deploy/compose/{name}")
