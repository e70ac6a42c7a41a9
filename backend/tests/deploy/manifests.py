"""What the chart renders, as values that tests ask questions of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import yaml

from tests.deploy import tools

RELEASE, NAMESPACE = "board", "boards"
COMPONENT = "app.kubernetes.io/component"

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod as its workload makes it; `count` of them."""

    owner: Object
    component: str
    labels: Mapping[str, str]
    spec: Object
    count: int

    @property
    def containers(self) -> list[Object]:
        """All containers, those that run first too."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def container(self, name: str) -> Object:
        """The container of this name."""
        return next(one for one in self.containers if one["name"] == name)


class Manifests:
    """All that one rendering holds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[Object] = [one for one in yaml.load_all(text, yaml.CSafeLoader) if one]

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """The one of a kind whose name ends so, after the release's."""
        wanted = f"{RELEASE}-{name}"
        found = [one for one in self.of(kind) if one["metadata"]["name"] == wanted]
        assert len(found) == 1, f"{kind} {wanted}: {len(found)}"
        return found[0]

    @cached_property
    def pods(self) -> list[Pod]:
        """The pods of all workloads, with the one of `helm test`."""
        return [pod for one in self.objects for pod in _pods_of(one)]

    def pod(self, component: str) -> Pod:
        """The pod of a component."""
        return next(pod for pod in self.pods if pod.component == component)


def render(
    values: Object,
    *,
    profile: str | None = None,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = tools.CHART,
) -> Manifests:
    """The chart with these values over those of a profile.

    Raises:
        AssertionError: helm refuses them; with its words.
    """
    profiles = chart / "profiles"
    options = () if profile is None else ("-f", profiles / f"{profile}.yaml")
    done = helm_template(values, *options, release=release, namespace=namespace, chart=chart)
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def helm_template(
    values: Object,
    *options: str | Path,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
    chart: Path = tools.CHART,
) -> CompletedProcess[str]:
    """The finished `helm template`."""
    arguments = ["template", release, chart, "--namespace", namespace, *options, "-f", "-"]
    return tools.run("helm", *arguments, given=yaml.safe_dump(dict(values)))


def _pods_of(one: Object) -> Iterator[Pod]:
    kind, spec = one["kind"], one.get("spec", {})
    if kind == "Pod":
        yield _pod(one, one, 1)
    elif kind == "CronJob":
        yield _pod(one, spec["jobTemplate"]["spec"]["template"], 1)
    elif kind in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
        yield _pod(one, spec["template"], spec.get("replicas", 1))


def _pod(owner: Object, template: Object, count: int) -> Pod:
    labels = template["metadata"]["labels"]
    return Pod(owner, labels[COMPONENT], labels, template["spec"], count)
