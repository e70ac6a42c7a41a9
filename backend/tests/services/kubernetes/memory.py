"""How much memory the containers of a release use, against what they request and may have."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from tests.services.kubernetes.release import COMPONENT, Release
from tests.services.waiting import wait_until

_MIB = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024, "": 1 / 1024**2}
_MEASURED_SECONDS = 180


class Used(msgspec.Struct, frozen=True):
    """One container of a component, in MiB; of several pods the one that uses most."""

    component: str
    container: str
    request: float
    limit: float
    working_set: float


def measured(board: Release) -> list[Used]:
    """All containers that run, as soon as each has been looked at since the call.

    Raises:
        ServiceError: the cluster has no metrics, or not of all containers.
    """
    now = datetime.now(UTC)

    def all_of_them() -> list[Used] | None:
        sets = _working_sets(board, now)
        found = list(_containers(board, sets))
        return None if any(one is None for one in found) else [one for one in found if one]

    return _most(wait_until(all_of_them, _MEASURED_SECONDS, "a look at each container's memory"))


def mib(quantity: str) -> float:
    """A quantity of memory as Kubernetes writes it."""
    unit = quantity.lstrip("0123456789")
    return int(quantity.removesuffix(unit)) * _MIB[unit]


def _working_sets(board: Release, since: datetime) -> dict[tuple[str, str], float]:
    """By pod and container, of the pods looked at since."""
    path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{board.namespace}/pods"
    found = json.loads(board.cluster.kubectl("get", "--raw", path))
    return {
        (pod["metadata"]["name"], container["name"]): mib(container["usage"]["memory"])
        for pod in found["items"]
        if datetime.fromisoformat(pod["timestamp"]) > since
        for container in pod["containers"]
    }


def _containers(board: Release, sets: Mapping[tuple[str, str], float]) -> Iterator[Used | None]:
    """Those that run until their pod ends; None for one without a working set."""
    for pod in board.pods():
        if pod["status"]["phase"] != "Running":
            continue
        sidecars = [one for one in pod["spec"].get("initContainers", ()) if "restartPolicy" in one]
        for container in [*sidecars, *pod["spec"]["containers"]]:
            working_set = sets.get((pod["metadata"]["name"], container["name"]))
            yield _used(pod, container, working_set) if working_set is not None else None


def _used(pod: Mapping[str, Any], container: Mapping[str, Any], working_set: float) -> Used:
    resources = container["resources"]
    return Used(
        component=pod["metadata"]["labels"][COMPONENT],
        container=container["name"],
        request=mib(resources["requests"]["memory"]),
        limit=mib(resources["limits"]["memory"]),
        working_set=working_set,
    )


def _most(found: list[Used]) -> list[Used]:
    """Of each component's containers the one that uses most."""
    most: dict[tuple[str, str], Used] = {}
    for one in sorted(found, key=lambda used: used.working_set):
        most[one.component, one.container] = one
    return [most[key] for key in sorted(most)]
