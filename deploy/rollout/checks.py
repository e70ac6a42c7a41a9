"""What may be in the way of an installation: each check is a function of what the cluster says."""

from collections.abc import Iterable, Iterator, Sequence

from rollout.capacity import Amount, Demand, Node, QuantityError, requested
from rollout.faults import Fault
from rollout.kubectl import Object

COMPONENT = "app.kubernetes.io/component"
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_ROOM = "give the cluster more or larger nodes, or take --profile small"


def room(wanted: Sequence[Demand], nodes: Sequence[Node], *, grows: bool) -> Iterator[Fault]:
    """Whether the pods fit. A cluster that `grows` adds nodes of the size it has."""
    if not nodes:
        yield Fault("no node is ready and takes pods", "kubectl get nodes, and mend what they say")
        return
    if wrong := list(_none(wanted)):
        yield from wrong
        return
    total = sum((one.all for one in wanted), Amount())
    more = ", ".join(one.name for one in wanted if one.more)
    together = f"all pods together{more and f', with a new one beside each old one of {more}'}"
    usable = [node.free for node in nodes if any(node.takes(one.spec) for one in wanted)]
    if not grows:
        for short in total.beyond(sum(usable, Amount())):
            yield Fault(f"{short} on {len(usable)} node(s), {together}", _ROOM)
    for one in wanted:
        takers = [node for node in nodes if node.takes(one.spec)]
        if not takers:
            yield Fault(
                f"no node takes the pods of {one.name}: nodeSelector and tolerations keep them out",
                "kubectl get nodes --show-labels, and change nodeSelector or tolerations",
            )
        elif not any(one.each.fits(node.size if grows else node.free) for node in takers):
            best = max(takers, key=lambda node: (node.free.memory, node.free.cpu)).free
            for short in one.each.beyond(best) or ["CPU and memory: not free on the same node"]:
                yield Fault(f"{short} on the best node, for one pod of {one.name}", _ROOM)


def _none(wanted: Iterable[Demand]) -> Iterator[Fault]:
    """Where what is requested cannot be read."""
    for one in wanted:
        try:
            requested(one.spec)
        except QuantityError as error:
            yield Fault(
                f"{one.name} requests '{error}', which is no quantity of Kubernetes",
                "write 500m or 2 for CPU, 512Mi for memory",
            )


def volumes(
    objects: Iterable[Object], classes: Iterable[Object], claims: Iterable[Object]
) -> Iterator[Fault]:
    """Whether the volumes that are not there yet have a storage class."""
    known = {one["metadata"]["name"]: one["metadata"].get("annotations", {}) for one in classes}
    default = any(notes.get(_DEFAULT_CLASS) == "true" for notes in known.values())
    there = {one["metadata"]["name"] for one in claims}
    wanted: dict[str, list[str]] = {}
    for name, storage_class in _new_claims(objects, there):
        wanted.setdefault(storage_class, []).append(name)
    listed = ", ".join(sorted(known)) or "none"
    for storage_class, names in wanted.items():
        if storage_class and storage_class not in known:
            yield Fault(
                f"no storage class {storage_class} for {', '.join(names)}; there are: {listed}",
                "name one of these in the persistence.storageClass of each",
            )
        if not storage_class and not default:
            yield Fault(
                f"no default storage class for {', '.join(names)}; there are: {listed}",
                f"kubectl annotate --overwrite storageclass {min(known)} {_DEFAULT_CLASS}=true"
                if known
                else "install what makes volumes; kind, minikube and AKS bring theirs",
            )


def _new_claims(objects: Iterable[Object], there: set[str]) -> Iterator[tuple[str, str]]:
    """Names and storage classes ("" is the default)."""
    for one in objects:
        for template in one["spec"].get("volumeClaimTemplates", ()) if "spec" in one else ():
            name = f"{template['metadata']['name']}-{one['metadata']['name']}"
            numbers = range(one["spec"].get("replicas", 1))
            if not all(f"{name}-{number}" in there for number in numbers):
                yield name, template["spec"].get("storageClassName", "")


def kept(
    objects: Sequence[Object], claims: Sequence[Object], secrets: Iterable[str], space: str
) -> Iterator[Fault]:
    """Whether these values fit the volumes that an earlier installation left."""
    of = [one["metadata"].get("labels", {}).get(COMPONENT) for one in claims]
    for one in objects:
        if one["kind"] == "StatefulSet" and one["metadata"]["labels"][COMPONENT] == "kafka":
            nodes, numbers = one["spec"]["replicas"], _numbers(claims, "kafka")
            there = len(numbers)
            # Of three, two go on without the third, whose volume is lost or was not made yet.
            if max(numbers, default=0) >= nodes or there == 1 < nodes:
                yield Fault(
                    f"Kafka has {there} volume(s) and kafka.nodes is {nodes}; it cannot change",
                    "take the --profile and --values of the installation",
                )
        if one["kind"] == "Secret" and one["metadata"]["labels"][COMPONENT] == "secrets":
            name = one["metadata"]["name"]
            if {"mariadb", "kafka"} & set(of) and name not in secrets:
                yield Fault(
                    f"volumes are there, but the Secret {name} that opens them is gone",
                    "bring the Secret back, or give the data up: "
                    f"deploy/cleanup.sh --namespace {space} --delete-data",
                )


def opens(
    objects: Iterable[Object], before: Iterable[Object], secrets: Iterable[Object]
) -> Iterator[Fault]:
    """Whether another Secret than `before` holds the same for stores that have their volumes."""
    there = {(component, key): name for component, name, key in _keys(before)}
    for component, name, key in _keys(objects):
        if component in {"mariadb", "kafka"}:
            yield from _same(key, there.get((component, key), name), name, secrets)


def opens_kept(
    objects: Iterable[Object],
    claims: Iterable[Object],
    kept: Iterable[Object],
    secrets: Iterable[Object],
) -> Iterator[Fault]:
    """The same for what cleanup left: Kafka's id, the one value that is never rotated."""
    first = [
        one["metadata"]["name"]
        for one in kept
        if one["metadata"]["labels"].get(COMPONENT) == "secrets"
    ]
    for _, name, key in _keys(objects):
        if first and key == "kafka-cluster-id" and _numbers(claims, "kafka"):
            yield from _same(key, first[0], name, secrets)


def _same(key: str, old: str, name: str, secrets: Iterable[Object]) -> Iterator[Fault]:
    """Whether two Secrets that are there hold the same under a key."""
    known = {one["metadata"]["name"]: one.get("data", {}) for one in secrets}
    if {old, name} <= known.keys() and known[name].get(key) != known[old].get(key):
        yield Fault(
            f"the Secret {name} has another {key} than {old}, with which the volumes began",
            f"give {name} the {key} of {old}, or go on naming {old}",
        )


def _keys(objects: Iterable[Object]) -> Iterator[tuple[str, str, str]]:
    """Component, Secret and key of each variable that the containers of StatefulSets are given."""
    for one in objects:
        if one["kind"] == "StatefulSet":
            for container in one["spec"]["template"]["spec"]["containers"]:
                for variable in container.get("env", ()):
                    if found := variable.get("valueFrom", {}).get("secretKeyRef"):
                        yield one["metadata"]["labels"][COMPONENT], found["name"], found["key"]


def _numbers(claims: Iterable[Object], component: str) -> set[int]:
    """Of which of a component's pods these are the claims."""
    return {
        int(one["metadata"]["name"].rpartition("-")[2])
        for one in claims
        if one["metadata"].get("labels", {}).get(COMPONENT) == component
    }


def namespace(found: Object | None, name: str) -> Iterator[Fault]:
    """Whether the namespace is on its way out."""
    if found and found["status"]["phase"] == "Terminating":
        yield Fault(
            f"the namespace {name} is being deleted",
            f"wait for it: kubectl wait --for=delete namespace/{name} --timeout=5m",
        )


def chart(installed: str, ours: str, name: str, space: str) -> Iterator[Fault]:
    """Whether a release of this name is somebody else's."""
    if installed != ours:
        yield Fault(
            f"the release {name} in the namespace {space} is of the chart {installed}, not {ours}",
            f"when nobody needs it: helm uninstall {name} --namespace {space}",
        )


def release(status: str, name: str, space: str) -> Iterator[Fault]:
    """Whether an earlier helm was cut off, or another one is at work."""
    if status.startswith("pending-"):
        command = "uninstall" if status == "pending-install" else "rollback"
        yield Fault(
            f"the release {name} is in the state {status}: helm is at work, or was cut off",
            f"when no other helm runs: helm {command} {name} --namespace {space} (data stays)",
        )
    if status == "uninstalling":
        yield Fault(
            f"the release {name} is being uninstalled, or that was cut off",
            f"deploy/cleanup.sh --namespace {space} (data stays)",
        )
