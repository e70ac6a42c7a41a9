"""The compose file as podman-compose resolves it; it needs no podman for that."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.deploy.tools import ROOT

DIRECTORY = ROOT / "deploy" / "compose"
COMPOSE = DIRECTORY / "compose.yaml"
SETUP = DIRECTORY / "setup.sh"
TOOLS = Path(sys.executable).parent

Services = dict[str, dict[str, Any]]


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command without this environment's own settings."""
    clean = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME"}}
    return subprocess.run(argv, env=clean, capture_output=True, text=True, check=False, timeout=60)


def resolve(environment: Path) -> subprocess.CompletedProcess[str]:
    """What becomes of the file with the variables of another."""
    return run(TOOLS / "podman-compose", "--env-file", environment, "-f", COMPOSE, "config")


def set_up(path: Path, *arguments: str) -> Path:
    """Passwords in a file of the test's own."""
    made = run(SETUP, "--output", path, *arguments)
    assert made.returncode == 0, made.stderr
    return path


@cache
def resolved(*arguments: str) -> Services:
    """All services, set up with these arguments."""
    with TemporaryDirectory() as directory:
        done = resolve(set_up(Path(directory) / "env", *arguments))
    assert done.returncode == 0, done.stderr
    found: Services = yaml.safe_load(done.stdout)["services"]
    return found


def script(service: dict[str, Any]) -> list[str]:
    """The shell and the script that it starts with, as the container gets them."""
    return [word.replace("$$", "$") for word in service["entrypoint"]]
