"""Whether the nodes can have the images, asked of a node itself."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rollout.faults import Fault, say
from rollout.kubectl import Cluster, Object

SECONDS = 180
_NAME = "madang-image-check"
_NOT_YET = {"ContainerCreating", "PodInitializing"}
_FAILED = {
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
    "RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed",
}  # fmt: skip


def needed(objects: Iterable[Object]) -> dict[str, str]:
    """Image → pull policy, of all workloads."""
    return {
        one["image"]: one["imagePullPolicy"]
        for spec in pods(objects)
        for one in [*spec.get("initContainers", ()), *spec["containers"]]
    }


def pods(objects: Iterable[Object]) -> list[Object]:
    """How the pods of all workloads are described."""
    specs = [one.get("spec", {}) for one in objects]
    jobs = [spec.get("jobTemplate", {}).get("spec", spec) for spec in specs]
    return [job["template"]["spec"] for job in jobs if "template" in job]


def absent(images: Mapping[str, str], nodes: Sequence[Object]) -> dict[str, str]:
    """Those that some node may have to pull. A node tells only its largest images."""
    there = [
        {name for one in node["status"].get("images", ()) for name in one.get("names", ())}
        for node in nodes
    ]
    return {
        image: policy
        for image, policy in images.items()
        if policy == "Always" or not all(_full(image) in names for names in there)
    }


def check(
    cluster: Cluster, release: str, images: Mapping[str, str], like: Object
) -> Iterator[Fault]:
    """Start a pod of all these images that does nothing, where a pod `like` this one would run.

    Raises:
        KubectlError: kubectl fails.
    """
    pod = _check_pod(release, images, like)
    try:
        _remove(cluster)
        cluster.ask("create", "--filename=-", given=json.dumps(pod))
        yield from _watch(cluster)
    finally:
        _remove(cluster)


def _watch(cluster: Cluster) -> Iterator[Fault]:
    end = time.monotonic() + SECONDS
    while True:
        pod = cluster.find("pod", _NAME) or {"status": {}}
        waiting = {
            one["image"]: _waiting(one) for one in pod["status"].get("containerStatuses", ())
        }
        started = pod["status"].get("phase") in {"Succeeded", "Failed", "Running"}
        open_ones = [image for image, state in waiting.items() if state.get("reason") in _NOT_YET]
        if (started or waiting) and not open_ones:
            break
        if time.monotonic() > end:
            yield from _undecided(pod, open_ones)
            break
        time.sleep(1)
    for image, state in waiting.items():
        if state.get("reason") in _FAILED:
            yield _fault(image, state["reason"], state.get("message", ""))


def _undecided(pod: Object, images: Sequence[str]) -> Iterator[Fault]:
    """A pod that no node takes is a fault; a slow registry is none."""
    for one in pod["status"].get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield Fault(f"no node takes a pod: {one.get('message')}", "kubectl describe nodes")
            return
    say(f"    still pulling after {SECONDS} s: {', '.join(images)}; going on")


def _fault(image: str, reason: str, message: str) -> Fault:
    if reason == "ErrImageNeverPull":
        return Fault(
            f"{image} is not on the node, and image.pullPolicy is Never",
            f"load it (kind load docker-image {image}; minikube image load {image}), "
            "or set image.pullPolicy: IfNotPresent",
        )
    return Fault(
        f"{image} cannot be pulled, {reason}: {message}",
        "push it, or name yours by image.registry and image.tag in a --values file; a private "
        "registry needs imagePullSecrets: [NAME], made by kubectl create secret docker-registry",
    )


def _waiting(container: Object) -> Mapping[str, Any]:
    return dict(container.get("state", {}).get("waiting", {}))


def _check_pod(release: str, images: Mapping[str, str], like: Object) -> Object:
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    taken = {key: like[key] for key in _PLACED if key in like}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": _NAME,
            "labels": {
                "app.kubernetes.io/instance": release,
                "app.kubernetes.io/component": "image-check",
            },
        },
        "spec": {
            **taken,
            "activeDeadlineSeconds": SECONDS,
            "terminationGracePeriodSeconds": 0,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": f"image-{number}",
                    "image": image,
                    "imagePullPolicy": policy,
                    "command": ["true"],
                    "securityContext": confined,
                    "resources": {
                        "requests": {"cpu": "1m", "memory": "8Mi"},
                        "limits": {"memory": "32Mi"},
                    },
                }
                for number, (image, policy) in enumerate(images.items())
            ],
        },
    }


_PLACED = ("imagePullSecrets", "nodeSelector", "tolerations")


def _remove(cluster: Cluster) -> None:
    cluster.ask("delete", "pod", _NAME, "--ignore-not-found", "--grace-period=0", "--wait")


def _full(image: str) -> str:
    """The name as nodes tell it: docker.io/library/redis:7.2."""
    host, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    named = "." in host or ":" in host or host == "localhost"
    return image if named else f"docker.io/{image}"
