"""A cluster as kubectl and helm reach it, whoever runs it."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.services.errors import ServiceError
from tests.services.kubernetes.programs import built, program
from tests.services.process import Process
from tests.services.workspace import temporary_directory

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """All questions go to the cluster of this file."""

    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        """For programs and scripts that call kubectl and helm."""
        path = f"{built()}:{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def kubectl(self, *arguments: str | Path, given: str = "", seconds: float = 120) -> str:
        """What kubectl prints, with `given` on its standard input.

        Raises:
            ServiceError: it failed; with its words.
        """
        return self._output("kubectl", arguments, given, seconds)

    def helm(self, *arguments: str | Path, given: str = "", seconds: float = 900) -> str:
        """What helm prints, with `given` on its standard input.

        Raises:
            ServiceError: it failed; with its words.
        """
        return self._output("helm", arguments, given, seconds)

    def try_kubectl(self, *arguments: str | Path, seconds: float = 60) -> str | None:
        """What kubectl prints, or None when it fails: for conditions to wait for."""
        done = self._run("kubectl", arguments, "", seconds)
        return None if done.returncode else done.stdout

    def get(self, *arguments: str) -> Any:
        """What `kubectl get` finds, as it is in the cluster: one resource, or a list of them."""
        found = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found["items"] if found["kind"] == "List" else found

    def apply(self, manifests: str, *arguments: str) -> None:
        """Make or change what the YAML says."""
        self.kubectl("apply", "--filename=-", *arguments, given=manifests)

    def wait(self, condition: str, *arguments: str, seconds: float = 120) -> None:
        """`kubectl wait --for=CONDITION ARGUMENT...`.

        Raises:
            ServiceError: it did not come true in time.
        """
        options = (f"--for={condition}", f"--timeout={seconds:g}s")
        self.kubectl("wait", *options, *arguments, seconds=seconds + 30)

    @contextmanager
    def namespace(self, name: str | None = None, *, enforce: str = "restricted") -> Iterator[str]:
        """A new namespace that enforces this Pod Security standard; gone after the block."""
        name = name or f"test-{uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        try:
            self.kubectl(
                "label", "namespace", name, f"pod-security.kubernetes.io/enforce={enforce}"
            )
            yield name
        finally:
            # While a namespace ends nothing new is made in it; its pods need no time to end.
            self.kubectl("delete", "namespace", name, "--wait=false")
            self.kubectl("delete", "pods", "--all", f"--namespace={name}", "--now", "--wait=false")
            self.kubectl("wait", "--for=delete", f"namespace/{name}", "--timeout=270s", seconds=300)

    @contextmanager
    def forward(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """The local URL of a port of `service/NAME` or `pod/NAME`; it stays with one pod."""
        with temporary_directory() as directory:
            log = directory / "port-forward.log"
            address = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")
            process = Process(
                f"port-forward to {target}",
                [
                    program("kubectl"),
                    "port-forward",
                    f"--namespace={namespace}",
                    target,
                    f":{port}",
                ],
                log=log,
                environment=self.environment,
                ready=lambda: address.search(log.read_text()) is not None,
            )
            try:
                process.start()
                found = address.search(log.read_text())
                assert found
                yield f"http://{found[1]}"
            finally:
                process.stop()

    def _output(
        self, name: str, arguments: Sequence[str | Path], given: str, seconds: float
    ) -> str:
        done = self._run(name, arguments, given, seconds)
        if done.returncode:
            words = " ".join([name, *(str(word) for word in arguments)])
            raise ServiceError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _run(
        self, name: str, arguments: Sequence[str | Path], given: str, seconds: float
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program(name), *arguments],
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
