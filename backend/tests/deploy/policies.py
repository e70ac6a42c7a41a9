"""Which connections the rendered NetworkPolicies allow, by the rules of Kubernetes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from tests.deploy.manifests import Manifests, Object, Pod


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod by its labels and namespace, or an address outside."""

    labels: Object
    namespace: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, pod: Pod) -> "End":
        """A pod of the release."""
        return cls(pod.labels)


class Policies:
    """The policies of a rendering, all in the release's namespace."""

    def __init__(self, manifests: Manifests) -> None:
        self._policies = [one["spec"] for one in manifests.of("NetworkPolicy")]

    def allow(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is let out at the one end and in at the other."""
        out = self._allows("egress", source, target, port, protocol)
        return out and self._allows("ingress", target, source, port, protocol)

    def _allows(self, way: str, end: End, other: End, port: int, protocol: str) -> bool:
        if end.namespace or end.address:
            return True  # the policies of other namespaces are not ours
        isolating = [
            policy
            for policy in self._policies
            if way.capitalize() in policy["policyTypes"]
            and _selects(policy["podSelector"], end.labels)
        ]
        rules = (rule for policy in isolating for rule in policy.get(way, ()))
        peers = "to" if way == "egress" else "from"
        return not isolating or any(
            _names_port(rule, port, protocol) and _names_peer(rule.get(peers), other)
            for rule in rules
        )


def _names_port(rule: Object, port: int, protocol: str) -> bool:
    return any(
        one["port"] == port and one.get("protocol", "TCP") == protocol for one in rule["ports"]
    )


def _names_peer(peers: Iterable[Object] | None, other: End) -> bool:
    return peers is None or any(_is_peer(peer, other) for peer in peers)


def _is_peer(peer: Object, other: End) -> bool:
    if "ipBlock" in peer:
        block = ip_network(peer["ipBlock"]["cidr"])
        return other.address is not None and ip_address(other.address) in block
    if other.address is not None:
        return False
    if "namespaceSelector" in peer:
        wanted = peer["namespaceSelector"].get("matchLabels", {})
        name = wanted.get("kubernetes.io/metadata.name", other.namespace)
        return name == other.namespace and _selects(peer.get("podSelector", {}), other.labels)
    return other.namespace is None and _selects(peer["podSelector"], other.labels)


def _selects(selector: Object, labels: Object) -> bool:
    return all(
        labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()
    ) and all(
        _OPERATORS[one["operator"]](labels.get(one["key"]), one["values"])
        for one in selector.get("matchExpressions", ())
    )


_OPERATORS = {"In": lambda value, values: value in values}


def ports_of(pod: Pod) -> Iterator[int]:
    """What the containers of a pod listen on."""
    for container in pod.containers:
        for port in container.get("ports", ()):
            yield port["containerPort"]


INTERNET = End({}, address="203.0.113.9")


def reached(manifests: Manifests, source: End) -> set[tuple[str, int]]:
    """Every (component, port) of a release that lets this in."""
    policies = Policies(manifests)
    return {
        (pod.component, port)
        for pod in manifests.pods
        for port in ports_of(pod)
        if policies.allow(source, End.of(pod), port)
    }


def among(manifests: Manifests, edges: set[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
    """Those of the edges between components that a release has."""
    present = {pod.component for pod in manifests.pods}
    return {edge for edge in edges if present.issuperset(edge[:2])}


def edges(manifests: Manifests) -> set[tuple[str, str, int]]:
    """Every (component, component, port) that is allowed between the pods of a release."""
    policies = Policies(manifests)
    return {
        (source.component, target.component, port)
        for source in manifests.pods
        for target in manifests.pods
        for port in ports_of(target)
        if policies.allow(End.of(source), End.of(target), port)
    }
