"""How much pods request, how much the nodes have left, and what does not fit."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rollout.kubectl import Object

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(n|u|m||[kMGTPE]|[KMGTPE]i)")
_UNITS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3} | {
    f"{letter}{end}": base**power
    for base, end in ((1000.0, ""), (1024.0, "i"))
    for power, letter in enumerate("KMGTPE", start=1)
}


class QuantityError(ValueError):
    """A text is none of Kubernetes' quantities."""


@dataclass(frozen=True)
class Amount:
    """CPU in millicores, memory in bytes, and a number of pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cpu + other.cpu, self.memory + other.memory, self.pods + other.pods)

    def __mul__(self, count: int) -> "Amount":
        return Amount(self.cpu * count, self.memory * count, self.pods * count)

    def __sub__(self, other: "Amount") -> "Amount":
        return self + other * -1

    def most(self, other: "Amount") -> "Amount":
        """The larger of each."""
        return Amount(
            max(self.cpu, other.cpu), max(self.memory, other.memory), max(self.pods, other.pods)
        )

    def fits(self, room: "Amount") -> bool:
        """Whether there is room for it."""
        return not self.beyond(room)

    def beyond(self, room: "Amount") -> list[str]:
        """What there is too little of, in words."""
        return [
            f"{name}: {shown(wanted)} requested, {shown(max(free, 0))} free"
            for name, wanted, free, shown in (
                ("CPU", self.cpu, room.cpu, _cores),
                ("memory", self.memory, room.memory, _mebibytes),
                ("pods", self.pods, room.pods, str),
            )
            if wanted > free
        ]


def _cores(millicores: int) -> str:
    return f"{millicores / 1000:g}"


def _mebibytes(size: int) -> str:
    return f"{size // 1024**2} MiB"


@dataclass(frozen=True)
class Demand:
    """`count` pods of one kind, and `more` beside them while new ones take their place."""

    name: str
    spec: Object
    count: int
    more: int = 0

    @property
    def each(self) -> Amount:
        """What one of them requests."""
        return requested(self.spec)

    @property
    def all(self) -> Amount:
        """What they request together, at most."""
        return self.each * (self.count + self.more)


@dataclass(frozen=True)
class Node:
    """A node that takes pods, what it has in all, and what of that is free."""

    described: Object
    size: Amount
    free: Amount

    def takes(self, spec: Object) -> bool:
        """Whether a pod's node selector and tolerations let it come here."""
        labels = self.described["metadata"].get("labels", {})
        taints = self.described["spec"].get("taints", [])
        selected = spec.get("nodeSelector", {}).items() <= labels.items()
        return selected and all(_tolerated(taint, spec) for taint in taints)


def quantity(text: str) -> float:
    """The number that Kubernetes writes so: 250m, 1.5, 128Mi, 1e3.

    Raises:
        QuantityError: Kubernetes writes no number so.
    """
    if not (found := _QUANTITY.fullmatch(text)):
        raise QuantityError(text)
    return float(found[1]) * _UNITS[found[2]]


def requested(spec: Object) -> Amount:
    """What the scheduler counts for a pod: all that runs at once, or the hungriest step before.

    Sidecars run beside everything that starts after them.
    """
    sidecars, peak = Amount(), Amount()
    for one in spec.get("initContainers", ()):
        if one.get("restartPolicy") == "Always":
            sidecars += _of_container(one)
            peak = peak.most(sidecars)
        else:
            peak = peak.most(sidecars + _of_container(one))
    running = sum((_of_container(one) for one in spec["containers"]), sidecars)
    return peak.most(running) + _amount(spec.get("overhead", {})) + Amount(pods=1)


def demands(
    objects: Sequence[Object], on: Sequence[Node], surges: Mapping[str, int] = MappingProxyType({})
) -> list[Demand]:
    """The pods that these workloads start with on these nodes; a CronJob's come and go.

    Those of `surges` start as many beside the old pods, which run until the new ones are ready.
    """
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["minReplicas"]
        for one in objects
        if one["kind"] == "HorizontalPodAutoscaler"
    }
    return [
        Demand(
            name := one["metadata"]["name"],
            spec := one["spec"]["template"]["spec"],
            sum(node.takes(spec) for node in on)
            if one["kind"] == "DaemonSet"
            else one["spec"].get("replicas", scaled.get(name, 1)),
            surges.get(name, 0),
        )
        for one in objects
        if one["kind"] in {"Deployment", "StatefulSet", "Job", "DaemonSet"}
    ]


def nodes(described: Iterable[Object], pods: Iterable[Object]) -> list[Node]:
    """The nodes that take new pods, with what these pods leave free."""
    used: dict[str, Amount] = {}
    for pod in pods:
        where = pod["spec"].get("nodeName", "")
        used[where] = used.get(where, Amount()) + requested(pod["spec"])
    return [
        Node(one, size, size - used.get(one["metadata"]["name"], Amount()))
        for one in described
        if _is_ready(one) and not one["spec"].get("unschedulable")
        for size in [_amount(one["status"]["allocatable"])]
    ]


def _is_ready(node: Object) -> bool:
    conditions = node["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _of_container(container: Object) -> Amount:
    resources = container.get("resources", {})
    return _amount({**resources.get("limits", {}), **resources.get("requests", {})})


def _amount(resources: Mapping[str, Any]) -> Amount:
    return Amount(
        round(quantity(str(resources.get("cpu", "0"))) * 1000),
        round(quantity(str(resources.get("memory", "0")))),
        int(resources.get("pods", 0)),
    )


def _tolerated(taint: Object, spec: Object) -> bool:
    if taint["effect"] == "PreferNoSchedule":
        return True
    return any(
        one.get("key") in {None, taint["key"]}
        and one.get("effect") in {None, taint["effect"]}
        and (one.get("operator") == "Exists" or one.get("value", "") == taint.get("value", ""))
        for one in spec.get("tolerations", ())
    )
