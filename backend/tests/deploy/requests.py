"""The table of requests and limits in docs/scaling.md, as the chart has them."""

from collections.abc import Iterator

from tests.deploy.cases import rendered
from tests.deploy.manifests import Object, Pod

_PROFILES = ("small", "standard")
_ONE_SHOTS = {"migrate", "topics", "admin", "prune", "test"}
_AMOUNTS = ("CPU", "memory", "limit")
_HEAD = ("pod", "container", "small: pods", *_AMOUNTS, "standard: pods", *_AMOUNTS)


def table() -> list[str]:
    """Its lines; the limit is that of memory, for CPU has none."""
    pods = [_pods(profile) for profile in _PROFILES]
    lines = [f"| {' | '.join(_HEAD)} |", "| --- | --- |" + " ---: |" * 8]
    for name, pod in pods[0].items():
        for container in _running(pod):
            cells = [_cells(of[name], container["name"]) for of in pods]
            lines.append(f"| {name} | {container['name']} | {' | '.join(cells)} |")
    once = " | ".join(_one_shot(profile) for profile in _PROFILES)
    return [*lines, f"| one-shots, while they run | | {once} |"]


def memory(profile: str) -> dict[str, tuple[str, str]]:
    """Request and limit in MiB of each container, by its name in the table of measured memory."""
    found = {}
    for component, pod in _pods(profile).items():
        for one in _running(pod):
            name = component if component == one["name"] else f"{component}: {one['name']}"
            request, limit = (one["resources"][kind]["memory"] for kind in ("requests", "limits"))
            found[name] = (request.removesuffix("Mi"), limit.removesuffix("Mi"))
    return found


def _pods(profile: str) -> dict[str, Pod]:
    found = rendered(f"profile {profile}").pods
    return {pod.component: pod for pod in found if pod.component not in _ONE_SHOTS}


def _running(pod: Pod) -> Iterator[Object]:
    """The containers and sidecars; what runs before them asks for less."""
    for one in pod.spec.get("initContainers", ()):
        if one.get("restartPolicy") == "Always":
            yield one
    yield from pod.spec["containers"]


def _cells(pod: Pod, container: str) -> str:
    return _amounts(pod.container(container), pod.count)


def _one_shot(profile: str) -> str:
    return _amounts(rendered(f"profile {profile}").pod("migrate").container("migrate"), 1)


def _amounts(container: Object, count: int) -> str:
    wanted, limits = container["resources"]["requests"], container["resources"]["limits"]
    return f"{count} | {wanted['cpu']} | {wanted['memory']} | {limits['memory']}"
