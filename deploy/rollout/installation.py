"""One release: what the chart makes of the values, and what is in its way on this cluster."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rollout import capacity, checks, plan, rights
from rollout.faults import Fault, say
from rollout.kubectl import Cluster, KubectlError, Object

_AUTOSCALER = "cluster-autoscaler-status"


@dataclass
class Installation:
    """The release as it shall be, and the cluster that it comes to."""

    release: str
    cluster: Cluster
    chart: Path
    values: Sequence[str]
    beside: "Installation | None" = None
    """What is installed with it, and takes room too."""
    objects: list[Object] = field(default_factory=list)

    def render(self) -> Iterator[Fault]:
        """Read what the chart makes of the values; what is wrong with them."""
        options = [f"--values={file}" for file in self.values]
        done = self._helm("template", str(self.chart), "--dry-run=server", "--no-hooks", *options)
        if done.returncode:
            error = KubectlError(done.stderr.replace("Error: ", "", 1).strip())
            if error.forbidden:
                raise error
            mend = "change them in your --values, or install what they ask for"
            yield Fault(f"Helm refuses the values: {error}", mend)
            return
        self.objects = self.cluster.parse(done.stdout)

    def faults(self) -> list[Fault]:
        """All that is in the way and can be seen without changing anything.

        Raises:
            KubectlError: kubectl fails.
        """
        looks = {
            "the values": self.render,
            "the namespace": lambda: checks.namespace(self.namespace, self.cluster.namespace),
            "earlier installations": self._earlier,
            "room on the nodes": self._room,
            "storage classes": self._volumes,
            "rights": self._rights,
            "what the API server accepts": self._accepted,
        }
        found: list[Fault] = []
        for what, look in looks.items():
            try:
                found += look()
            except KubectlError as error:
                if not error.forbidden:
                    raise
                say(f"    not checked: {what}; {error}")
        return found

    def plan(self) -> Iterator[str]:
        """What would change, a line for each object.

        Raises:
            KubectlError: kubectl fails.
        """
        before: list[Object] = []
        if self.installed:
            before = self.cluster.parse(self._helm("get manifest").stdout)
        return plan.changes(self.cluster, before, self.objects, namespace=self.has_namespace)

    @cached_property
    def namespace(self) -> Object | None:
        """The namespace, where it is there."""
        return self.cluster.find("namespace", self.cluster.namespace)

    @cached_property
    def has_namespace(self) -> bool:
        """Whether it is there; who may not look cannot make one either."""
        try:
            return self.namespace is not None
        except KubectlError:
            return True

    @cached_property
    def installed(self) -> Object | None:
        """Helm's `chart` and `status` of the release, None where there is none."""
        done = self._helm("get metadata", "--output=json")
        if done.returncode and "not found" not in done.stderr:
            raise KubectlError(done.stderr.strip())
        return None if done.returncode else json.loads(done.stdout)

    def owns(self, one: Object) -> bool:
        """Whether it is of this release."""
        labels = one["metadata"].get("labels", {})
        owner = (one["metadata"]["namespace"], labels.get("app.kubernetes.io/instance"))
        return owner == (self.cluster.namespace, self.release)

    def _earlier(self) -> Iterator[Fault]:
        if self.installed:
            where = (self.release, self.cluster.namespace)
            yield from checks.release(self.installed["status"], *where)
            yield from checks.chart(self.installed["chart"], self.chart.name, *where)
        claims, secrets = self._claims(), self.cluster.all("secrets")
        names = [one["metadata"]["name"] for one in secrets]
        yield from checks.kept(self.objects, claims, names, self.cluster.namespace)
        before = self.cluster.of_release("statefulsets", self.release)
        yield from checks.opens(self.objects, before, secrets)
        if not before:
            kept = filter(self.owns, secrets)
            yield from checks.opens_kept(self.objects, claims, kept, secrets)

    def surges(self) -> dict[str, int]:
        """How many new pods come up beside the old ones, by Deployment.

        Raises:
            KubectlError: kubectl fails.
        """
        return plan.surges(self.cluster, self.objects) if self.installed else {}

    def _room(self) -> Iterator[Fault]:
        living = "--field-selector=status.phase!=Succeeded,status.phase!=Failed"
        pods = self.cluster.all("pods", "--all-namespaces", living)
        others = [pod for pod in pods if not self.owns(pod)]
        objects, surges = self.objects, self.surges()
        if self.beside and not list(self.beside.render()):  # what is wrong with it, it tells itself
            others = [pod for pod in others if not self.beside.owns(pod)]
            objects = [*objects, *self.beside.objects]
            surges |= self.beside.surges()
        nodes = capacity.nodes(self.cluster.all("nodes"), others)
        grows = Cluster("kube-system").find("configmap", _AUTOSCALER) is not None
        yield from checks.room(capacity.demands(objects, nodes, surges), nodes, grows=grows)

    def _volumes(self) -> Iterator[Fault]:
        return checks.volumes(self.objects, self.cluster.all("storageclasses"), self._claims())

    def _rights(self) -> Iterator[Fault]:
        wanted = rights.wanted(self.objects, namespace=self.has_namespace)
        return rights.check(self.cluster, wanted)

    def _accepted(self) -> Iterator[Fault]:
        if self.objects:
            yield from plan.check(self.cluster, self.objects, namespace=self.has_namespace)

    def _claims(self) -> list[Object]:
        return self.cluster.of_release("persistentvolumeclaims", self.release)

    def _helm(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["helm", *verb.split(), self.release, f"--namespace={self.cluster.namespace}"]
        return subprocess.run([*command, *arguments], text=True, capture_output=True, check=False)
