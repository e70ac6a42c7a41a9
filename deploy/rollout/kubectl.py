"""The cluster as kubectl tells it, in JSON. Only the standard library: people run this as it is."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


class KubectlError(Exception):
    """kubectl failed; its own words."""

    @property
    def forbidden(self) -> bool:
        """Whether it is a matter of rights."""
        return "forbidden" in str(self).lower()


@dataclass(frozen=True)
class Cluster:
    """The cluster of HELM_KUBECONTEXT, as for Helm; without it of kubectl's current context."""

    namespace: str

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """A finished kubectl, with `given` on its standard input."""
        context = os.environ.get("HELM_KUBECONTEXT")
        cluster = [f"--context={context}"] if context else []
        return subprocess.run(
            ["kubectl", *cluster, "--namespace", self.namespace, *arguments],
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )

    def ask(self, *arguments: str, given: str = "") -> str:
        """What kubectl writes.

        Raises:
            KubectlError: it fails.
        """
        done = self.run(*arguments, given=given)
        if done.returncode:
            raise KubectlError(done.stderr.strip())
        return done.stdout

    def all(self, kinds: str, *options: str) -> list[Object]:
        """All objects of some kinds ("pods,jobs").

        Raises:
            KubectlError: kubectl fails.
        """
        answer = json.loads(self.ask("get", kinds, "--output=json", *options))
        return list(answer["items"])

    def find(self, kind: str, name: str) -> Object | None:
        """One object, or None where there is none.

        Raises:
            KubectlError: kubectl fails.
        """
        text = self.ask("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(text) if text else None

    def parse(self, manifest: str) -> list[Object]:
        """The objects of a manifest in YAML.

        Raises:
            KubectlError: the cluster does not know one of the kinds.
        """
        options = ("--dry-run=client", "--validate=false", "--output=json", "--filename=-")
        return documents(self.ask("create", *options, given=manifest))

    def of_release(self, kinds: str, release: str) -> list[Object]:
        """All objects of some kinds that belong to a release.

        Raises:
            KubectlError: kubectl fails.
        """
        return self.all(kinds, f"--selector=app.kubernetes.io/instance={release}")


def documents(text: str) -> list[Object]:
    """The objects of several JSON texts in a row, as `kubectl create --output=json` writes them."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text := text[at:].lstrip():
        one, at = decoder.raw_decode(text)
        found.append(one)
    return found
