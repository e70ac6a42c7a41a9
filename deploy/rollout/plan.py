"""What an installation would change, as the API server answers a dry run of it."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence

from rollout.faults import Fault
from rollout.jobs import ended
from rollout.kubectl import Cluster, Object

_ELSEWHERE = "default"
_APPLY = ["apply", "--server-side", "--dry-run=server", "--force-conflicts", "--field-manager=helm"]
_IN_AND_OUT = ["--output=json", "--filename=-"]


def check(cluster: Cluster, objects: Sequence[Object], *, namespace: bool) -> Iterator[Fault]:
    """Whether the API server accepts all of them.

    It looks at an object only when its namespace is there, so without one they are tried elsewhere.
    """
    given = objects if namespace else [_moved(one) for one in objects]
    there = cluster if namespace else Cluster(_ELSEWHERE)
    done = there.run(*_APPLY, *_IN_AND_OUT, given=_listed(given))
    if done.returncode:
        for line in done.stderr.strip().splitlines():
            yield Fault(
                f"the API server refuses: {line}",
                "change your values; volumes that are there keep their size and storage class",
            )


def changes(
    cluster: Cluster, before: Iterable[Object], after: Sequence[Object], *, namespace: bool
) -> Iterator[str]:
    """A line for each object: make, change, keep, repeat (a Job that has ended) or remove.

    Raises:
        KubectlError: kubectl fails.
    """
    if not namespace:
        yield f"make    namespace/{cluster.namespace}"
        yield from (f"make    {_name(one)}" for one in after)
        return
    given = _listed(after)
    live = _by_name(cluster.ask("get", "--ignore-not-found", *_IN_AND_OUT, given=given))
    for name, one in _by_name(cluster.ask(*_APPLY, *_IN_AND_OUT, given=given)).items():
        yield f"{_verb(live.get(name), one):6}  {name}"
    stay = {_name(one) for one in after}
    yield from (f"remove  {name}" for name in map(_name, before) if name not in stay)


def surges(cluster: Cluster, objects: Iterable[Object]) -> dict[str, int]:
    """How many pods come up beside the old ones, of each Deployment that gets others.

    Nothing where the API server refuses them.
    """
    deployments = [one for one in objects if one["kind"] == "Deployment"]
    if not deployments:
        return {}
    given = _listed(deployments)
    live = _by_name(cluster.ask("get", "--ignore-not-found", *_IN_AND_OUT, given=given))
    after = _by_name(cluster.run(*_APPLY, *_IN_AND_OUT, given=given).stdout) if live else {}
    return {
        one["metadata"]["name"]: _surge(one["spec"])
        for name, one in after.items()
        if name in live and live[name]["spec"]["template"] != one["spec"]["template"]
    }


def _surge(spec: Object) -> int:
    """Of a Deployment in the API server's words, which says what was left to it."""
    most: int | str = spec["strategy"].get("rollingUpdate", {}).get("maxSurge", 0)
    if isinstance(most, int):
        return most
    share = int(most.removesuffix("%")) / 100
    return math.ceil(int(spec["replicas"]) * share)


def _verb(live: Object | None, after: Object) -> str:
    if live is None:
        return "make"
    if ended(live):
        return "repeat"
    return "keep" if _content(live) == _content(after) else "change"


def _listed(objects: Sequence[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _by_name(text: str) -> dict[str, Object]:
    """Of objects in JSON, or of nothing at all. Around a single one kubectl writes no list."""
    found = json.loads(text) if text else {"items": []}
    return {_name(one): one for one in found.get("items", [found])}


def _name(one: Object) -> str:
    return f"{one['kind'].lower()}/{one['metadata']['name']}"


def _moved(one: Object) -> Object:
    return {**one, "metadata": {**one["metadata"], "namespace": _ELSEWHERE}}


def _content(one: Object) -> Object:
    """Without what the server and Helm keep there for themselves."""
    metadata = {
        "labels": one["metadata"].get("labels"),
        "annotations": {
            name: value
            for name, value in one["metadata"].get("annotations", {}).items()
            if not name.startswith("meta.helm.sh/")
        },
    }
    return {**one, "metadata": metadata, "status": None}
