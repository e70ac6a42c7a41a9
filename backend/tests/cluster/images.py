"""Both images, built from their Dockerfiles, and containers that run as a cluster runs them."""

import json
import resource
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.services.nginx import REPOSITORY
from tests.services.ports import answers
from tests.services.process import Process

_PODMAN = ["bash", "-c", 'source scripts/lib.sh && image_podman "$@"', "podman"]
BUILD_SECONDS = 1500


@dataclass(frozen=True, slots=True)
class Ended:
    """A container that ran to its end."""

    exit_code: int
    output: str


def podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podman on the storage of the set-up scripts."""
    return subprocess.run(
        [*_PODMAN, *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=check,
        timeout=120,
    )


def build(tag: str) -> None:
    """Build both images; only changed layers, and the bases the first time.

    Raises:
        AssertionError: the build failed; the message is its output.
    """
    built = subprocess.run(
        [REPOSITORY / "scripts" / "build-images.sh", "--tag", tag],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    assert built.returncode == 0, built.stdout + built.stderr


def inspect(image: str) -> Any:
    """What the image says of itself."""
    return json.loads(podman("image", "inspect", image).stdout)[0]


def run(image: str, *command: str, entrypoint: str | None = None) -> Ended:
    """Run a container to its end, confined as Pod Security's "restricted" confines it."""
    chosen = ["--entrypoint", entrypoint] if entrypoint else []
    done = podman(*_confined(), *chosen, image, *command, check=False)
    return Ended(done.returncode, done.stdout + done.stderr)


@contextmanager
def running(
    image: str,
    *command: str,
    log: Path,
    port: int,
    environment: Mapping[str, str],
    volumes: Sequence[str] = (),
    entrypoint: str | None = None,
) -> Iterator[Process]:
    """A container on the host's network that listens on this port; ended gracefully.

    It may write to /tmp and to `volumes`, which begin as the image has these directories.
    """
    name = f"madang-test-{uuid4().hex}"
    options = [f"--env={key}={value}" for key, value in environment.items()]
    options += [f"--volume={path}" for path in volumes]
    options += ["--entrypoint", entrypoint] if entrypoint else []
    process = Process(
        name,
        [*_PODMAN, *_confined(), "--name", name, *options, image, *command],
        log=log,
        directory=REPOSITORY,
        ready=lambda: answers(port),
        ready_seconds=60,
    )
    try:
        process.start()
        yield process
        podman("stop", "--time", "20", name)
        process.wait(20)
    finally:
        podman("rm", "--force", "--time", "0", "--ignore", name)
        process.stop(1)


def _confined() -> list[str]:
    """Read-only root, a /tmp of its own, no capability; limits that the host can give."""
    limits = [
        f"--ulimit={name}={hard}:{hard}"
        for name, number, enough in (
            ("nofile", resource.RLIMIT_NOFILE, 16_384),
            ("nproc", resource.RLIMIT_NPROC, 4_096),
        )
        for hard in [min(resource.getrlimit(number)[1], enough)]
    ]
    return [
        *("run", "--rm", "--network=host", "--read-only", "--read-only-tmpfs=false"),
        *("--tmpfs=/tmp:mode=1777", "--cap-drop=all", "--security-opt=no-new-privileges"),
        *limits,
    ]
