"""deploy.sh and cleanup.sh, run as a person runs them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.services.kubernetes.cluster import Cluster
from tests.services.nginx import REPOSITORY

DEPLOY = REPOSITORY / "deploy"

_RESTLESS = {"events", "events.events.k8s.io", "endpoints", "leases.coordination.k8s.io", "nodes"}


@dataclass(frozen=True, slots=True)
class Scripts:
    """Both, for one namespace of a cluster."""

    cluster: Cluster
    namespace: str
    options: tuple[str, ...] = ()
    """What every deploy.sh is given besides."""

    def deploy(self, *options: str, yes: bool = True) -> subprocess.CompletedProcess[str]:
        """A finished deploy.sh."""
        return self._run("deploy.sh", *self.options, *options, *(["--yes"] if yes else []))

    def cleanup(self, *options: str, yes: bool = True) -> subprocess.CompletedProcess[str]:
        """A finished cleanup.sh."""
        return self._run("cleanup.sh", *options, *(["--yes"] if yes else []))

    def command(self, script: str, *options: str) -> list[str]:
        """The words of a command."""
        return [str(DEPLOY / script), "--namespace", self.namespace, *options]

    @property
    def environment(self) -> Mapping[str, str]:
        """What they run with."""
        return self.cluster.environment

    def _run(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(script, *options),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )


def everything(
    cluster: Cluster, *options: str, namespace: str = "", versions: bool = True
) -> set[str]:
    """Namespace, kind, name and version of all that is there, but what changes by itself.

    In one namespace, or in the whole cluster. Without versions where others write, too.
    """
    listed = ("api-resources", "--verbs=list,delete", "--output=name")
    here = (f"--namespace={namespace}",) if namespace else ("--all-namespaces",)
    kinds = set(cluster.kubectl(*listed, *(["--namespaced"] if namespace else [])).split())
    columns = ":.metadata.namespace,:.kind,:.metadata.name"
    columns += ",:.metadata.resourceVersion" if versions else ""
    found = cluster.kubectl(
        "get", ",".join(sorted(kinds - _RESTLESS)), *here, *options, "--no-headers",
        "--ignore-not-found", f"--output=custom-columns={columns}",
    )  # fmt: skip
    return {" ".join(line.split()) for line in found.splitlines()}
