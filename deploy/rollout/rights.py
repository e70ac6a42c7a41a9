"""Whether the API server lets this user do what an installation takes."""

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from rollout.faults import Fault
from rollout.kubectl import Cluster, Object, documents


@dataclass(frozen=True, order=True)
class Right:
    """A verb on a resource, "pods/portforward" of the group ""."""

    verb: str
    group: str
    resource: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{self.group and '.'}{self.group}"


def wanted(objects: Collection[Object], *, namespace: bool) -> list[Right]:
    """What it takes to make these objects, watch them and open the page; and the namespace."""
    rights = {
        Right(verb, _group(one), _resource(one["kind"]))
        for one in objects
        for verb in ("create", "patch")
    }
    rights |= {
        Right("create", "", "pods"),
        Right("delete", "", "pods"),
        Right("get", "", "pods/log"),
        Right("create", "", "pods/portforward"),
        Right("list", "", "events"),
        Right("list", "", "secrets"),
    }
    rights |= {Right("delete", _group(one), "jobs") for one in objects if one["kind"] == "Job"}
    if not namespace:
        rights.add(Right("create", "", "namespaces", namespaced=False))
    return sorted(rights)


def check(cluster: Cluster, rights: Iterable[Right]) -> Iterator[Fault]:
    """Ask for all of them at once.

    Raises:
        KubectlError: kubectl fails.
    """
    rights = list(rights)
    reviews = [_review(right, cluster.namespace) for right in rights]
    asked = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    answers = documents(cluster.ask("create", "--output=json", "--filename=-", given=asked))
    missing = [
        str(right)
        for right, answer in zip(rights, answers, strict=True)
        if not answer["status"]["allowed"]
    ]
    if missing:
        yield Fault(
            f"you may not: {', '.join(missing)}",
            f"an administrator gives you the role: kubectl create rolebinding madang-deployer "
            f"--clusterrole=admin --user=NAME --namespace {cluster.namespace}",
        )


def _review(right: Right, namespace: str) -> Object:
    resource, _, part = right.resource.partition("/")
    attributes = {"verb": right.verb, "group": right.group, "resource": resource}
    attributes["subresource"] = part
    if right.namespaced:
        attributes["namespace"] = namespace
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }


def _group(one: Object) -> str:
    group, slash, _ = str(one["apiVersion"]).partition("/")
    return group if slash else ""


def _resource(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"
