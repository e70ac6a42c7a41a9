"""Madang installed on a cluster by its chart."""

import base64
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.nginx import REPOSITORY

CHART = REPOSITORY / "deploy" / "helm" / "madang"
COMPONENT = "app.kubernetes.io/component"

_MINUTES = 10
_LOGGED_LINES = 100
_REMOVED = (
    *("deployments", "statefulsets", "jobs", "cronjobs", "services", "configmaps", "ingresses"),
    *("serviceaccounts", "networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers"),
)


@dataclass(frozen=True, slots=True)
class Release:
    """A release of the chart, which need not be installed yet."""

    cluster: Cluster
    images: Images
    namespace: str
    name: str = "board"
    profile: str = "small"
    options: tuple[str, ...] = ()
    """What helm is told at each installation, beside the profile."""

    def install(self, *options: str, minutes: float = _MINUTES) -> None:
        """Install or upgrade it, and wait until all of it is ready.

        Raises:
            ServiceError: it is not within the time; with what the pods say.
        """
        words = ["upgrade", "--install", self.name, str(CHART), "--namespace", self.namespace]
        words += ["--values", str(CHART / "profiles" / f"{self.profile}.yaml")]
        words += ["--wait", "--wait-for-jobs", f"--timeout={minutes:g}m"]
        self.cluster.helm(
            *words, *self.images.options, *self.options, *options, seconds=minutes * 60 + 60
        )

    def roll_back(self, minutes: float = _MINUTES) -> None:
        """Go back to the revision before, and wait until all of it is ready.

        Raises:
            ServiceError: it is not within the time.
        """
        words = ("rollback", self.name, "--namespace", self.namespace, "--wait", "--wait-for-jobs")
        self.cluster.helm(*words, f"--timeout={minutes:g}m", seconds=minutes * 60 + 60)

    def uninstall(self) -> None:
        """Remove it, and wait until its pods are gone; Secrets and volumes stay.

        Helm's own waiting is over before it began where its look at the cluster comes late.
        """
        where = f"--namespace={self.namespace}"
        self.cluster.helm("uninstall", self.name, where, "--cascade=foreground")
        labels = f"--selector=app.kubernetes.io/instance={self.name}"
        self.cluster.wait("delete", ",".join(_REMOVED), where, labels, seconds=_MINUTES * 60)

    def wait_ready(self) -> None:
        """Wait until as many pods are ready as there should be.

        Raises:
            ServiceError: they are not within the time; with what kubectl says.
        """
        labels = f"app.kubernetes.io/instance={self.name}"
        where = f"--namespace={self.namespace}"
        for made in self.cluster.get("deployments,statefulsets", where, "-l", labels):
            name = f"{made['kind']}/{made['metadata']['name']}"
            words = ("rollout", "status", name, where, f"--timeout={_MINUTES}m")
            self.cluster.kubectl(*words, seconds=_MINUTES * 60 + 60)

    def test(self) -> str:
        """`helm test`; returns what its pod printed.

        Raises:
            ServiceError: it failed.
        """
        words = ("test", self.name, "--namespace", self.namespace, "--logs", "--timeout=5m")
        return self.cluster.helm(*words)

    def pods(self, component: str | None = None) -> list[Any]:
        """Its pods; of one component only when that is named."""
        labels = f"app.kubernetes.io/instance={self.name}"
        labels += f",{COMPONENT}={component}" if component else ""
        return list(self.cluster.get("pods", f"--namespace={self.namespace}", "-l", labels))

    def logs(self) -> str:
        """The newest lines of every container, but for those about single calls."""
        printed = []
        for pod in self.pods():
            name, status = pod["metadata"]["name"], pod["status"]
            for one in (
                *status.get("initContainerStatuses", ()),
                *status.get("containerStatuses", ()),
            ):
                for past in ("--previous", "") if one["restartCount"] else ("",):
                    words = ("logs", f"--namespace={self.namespace}", name, one["name"])
                    lines = self.cluster.try_kubectl(*words, "--tail=2000", *past.split())
                    printed.append(f"--- {name} {one['name']} {past}\n{_without_calls(lines)}")
        return "\n".join(printed)

    def secret(self, ending: str) -> dict[str, str]:
        """The values of its Secret of this ending."""
        name = f"{self.name}-{ending}"
        data = self.cluster.get(f"secret/{name}", f"--namespace={self.namespace}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def forward(self, component: str = "web", port: int = 80) -> AbstractContextManager[str]:
        """The local URL of one of its Services, through one pod of it."""
        return self.cluster.forward(self.namespace, f"service/{self.name}-{component}", port)


def _without_calls(log: str | None) -> str:
    lines = [line for line in (log or "").splitlines() if '"event":"call"' not in line]
    return "\n".join(lines[-_LOGGED_LINES:])
