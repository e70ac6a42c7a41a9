"""How much memory containers use, by the metrics API, against what they request and may have."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.release import COMPONENT

_BYTES = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "": 1}
_MIB = 1024**2


class Used(msgspec.Struct, frozen=True):
    """One container of a component, in MiB; of several pods the one that uses most."""

    component: str
    container: str
    request: float
    limit: float
    working_set: float


def memory(cluster: Cluster, namespace: str, release: str) -> list[Used]:
    """Of all containers of a release that run; those without a measurement yet are left out.

    Raises:
        ServiceError: the cluster has no metrics.
    """
    labels = f"app.kubernetes.io/instance={release}"
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods"
    measured = json.loads(cluster.kubectl("get", "--raw", f"{path}?labelSelector={labels}"))
    sets = {
        (pod["metadata"]["name"], container["name"]): mib(container["usage"]["memory"])
        for pod in measured["items"]
        for container in pod["containers"]
    }
    found: dict[tuple[str, str], Used] = {}
    for pod in cluster.get("pods", f"--namespace={namespace}", "--selector", labels):
        for container in running(pod):
            name = (pod["metadata"]["name"], container["name"])
            if name not in sets:
                continue
            used = _used(pod["metadata"]["labels"][COMPONENT], container, sets[name])
            key = (used.component, used.container)
            if key not in found or used.working_set > found[key].working_set:
                found[key] = used
    return [found[key] for key in sorted(found)]


def running(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers of a pod that run until it ends; none where it has ended."""
    if pod["status"]["phase"] != "Running":
        return []
    spec = pod["spec"]
    sidecars = [one for one in spec.get("initContainers", ()) if "restartPolicy" in one]
    return [*sidecars, *spec["containers"]]


def mib(quantity: str) -> float:
    """A quantity of memory as Kubernetes writes it."""
    unit = quantity.lstrip("0123456789")
    return int(quantity.removesuffix(unit)) * _BYTES[unit] / _MIB


def _used(component: str, container: Mapping[str, Any], working_set: float) -> Used:
    resources = container["resources"]
    return Used(
        component=component,
        container=container["name"],
        request=mib(resources["requests"]["memory"]),
        limit=mib(resources["limits"]["memory"]),
        working_set=working_set,
    )
