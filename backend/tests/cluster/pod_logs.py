"""The log files of containers as a node has them, written from what processes print."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

_PART = 16 * 1024
"""containerd cuts what is longer into parts."""


@dataclass
class ContainerLog:
    """One container's log under a directory laid out as /var/log/pods.

    Args:
        pods: that directory.
        namespace, pod, container: whose log it is.
        source: the file that the container's process prints to.
    """

    pods: Path
    namespace: str
    pod: str
    container: str
    source: Path | None = None
    written: list[str] = field(default_factory=list)
    """Every line that was written, in order."""
    _read: int = 0

    def __post_init__(self) -> None:
        name = f"{self.namespace}_{self.pod}_{uuid4()}"
        self.directory = self.pods / name / self.container
        self.directory.mkdir(parents=True)

    @property
    def path(self) -> Path:
        """The file that is written now."""
        return self.directory / "0.log"

    def copy(self) -> None:
        """Write what the process has printed since the last time, whole lines only."""
        assert self.source is not None
        with self.source.open("rb") as printed:
            printed.seek(self._read)
            new = printed.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self.write(*whole.decode().splitlines())

    def write(self, *lines: str) -> None:
        """Write lines as containerd does, each with its own time."""
        with self.path.open("a") as log:
            for line in lines:
                parts = [line[at : at + _PART] for at in range(0, len(line), _PART)] or [""]
                for number, part in enumerate(parts, start=1):
                    tag = "F" if number == len(parts) else "P"
                    log.write(f"{_now()} stdout {tag} {part}\n")
                self.written.append(line)

    def rotate(self) -> None:
        """Put the file aside as the kubelet does when it is large."""
        self.path.rename(self.directory / f"0.log.{datetime.now(UTC):%Y%m%d-%H%M%S}")


def _now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
