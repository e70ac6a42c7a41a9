"""What has come up and what has not, read out of workloads, pods and events."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout.kubectl import Object

KINDS = "deployments,statefulsets,daemonsets,replicasets,jobs,pods,persistentvolumeclaims"
_MAKE_PODS = {"ReplicaSet", "StatefulSet", "DaemonSet", "Job"}
_STARTING = {"ContainerCreating", "PodInitializing", ""}
_VOLUMES = {"FailedMount", "FailedAttachVolume"}
_LASTING = {
    "OOMKilled",
    "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff", "FailedCreate",
}  # fmt: skip
_IMAGE = (
    "check image.registry, image.tag and imagePullSecrets; load it where image.pullPolicy is Never"
)
_ADVICE = {
    "ErrImagePull": _IMAGE,
    "ImagePullBackOff": _IMAGE,
    "ErrImageNeverPull": _IMAGE,
    "InvalidImageName": _IMAGE,
    "Unschedulable": "give the cluster more or larger nodes, or take --profile small",
    "CreateContainerConfigError": "make the Secret or ConfigMap that it names",
    "OOMKilled": "raise resources.limits.memory of that container",
    "FailedCreate": "mend what the message names: Pod Security, a quota or a policy",
    "FailedMount": "make the Secret or ConfigMap that it names; kubectl describe shows the rest",
    "FailedAttachVolume": "see which node still holds it: kubectl get volumeattachments",
    "ProvisioningFailed": "kubectl describe persistentvolumeclaims",
}


@dataclass(frozen=True)
class Trouble:
    """Why something does not come up."""

    name: str
    reason: str
    message: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}{self.message and ': '}{self.message}"

    @property
    def patience_seconds(self) -> float:
        """How long waiting may mend it.

        A new node takes some minutes, and six pass until a lost one gives its volumes up.
        """
        if self.reason == "Unschedulable":
            return 300
        if self.reason in _VOLUMES:
            return 480
        return 60 if self.reason in _LASTING else math.inf

    @property
    def advice(self) -> str:
        """What to do."""
        return _ADVICE.get(
            self.reason, "its last lines, below, say why; kubectl describe shows the rest"
        )


@dataclass(frozen=True)
class Workloads:
    """All of one release at one moment."""

    objects: Sequence[Object]
    events: Sequence[Object]

    @classmethod
    def of(cls, objects: Sequence[Object], events: Sequence[Object]) -> "Workloads":
        """All but the Jobs that a schedule started: they come and go, and nobody waits for them."""
        scheduled = {
            _uid(one)
            for one in objects
            for owner in one["metadata"].get("ownerReferences", ())
            if owner["kind"] == "CronJob"
        }
        return cls([one for one in objects if _uid(one) not in scheduled], events)

    @property
    def done(self) -> bool:
        """Whether all is up, in the version that was asked for."""
        return bool(self._wanted) and all(_COMPLETE[one["kind"]](one) for one in self._wanted)

    @property
    def failed_jobs(self) -> list[str]:
        """The Jobs that have given up."""
        return [_name(one) for one in self._of("Job") if condition(one, "Failed")]

    @property
    def unready(self) -> list[Object]:
        """The pods that are not what they shall be.

        One of a Job shall end: while it runs it may try in vain, and is ready all the time.
        """
        jobs = {_uid(one): condition(one, "Complete") for one in self._of("Job")}
        stay = {_uid(one) for one in self.objects if one["kind"] != "Job"}
        return [
            pod
            for pod in self._of("Pod")
            if pod["status"].get("phase") != "Succeeded"
            and "deletionTimestamp" not in pod["metadata"]
            for owner in pod["metadata"].get("ownerReferences", ())
            if jobs.get(owner["uid"]) is False
            or (owner["uid"] in stay and not condition(pod, "Ready"))
        ]

    @property
    def busy(self) -> list[Object]:
        """Those of them that run, and are to come to an end."""
        return [pod for pod in self.unready if condition(pod, "Ready")]

    def line(self) -> str:
        """How far it is, and which components wait for what."""
        waiting: dict[str, set[str]] = {}
        for pod in self.unready:
            component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            waiting.setdefault(state(pod), set()).add(component)
        complete = [_COMPLETE[one["kind"]](one) for one in self._wanted]
        return "; ".join(
            [f"{sum(complete)} of {len(complete)} are up"]
            + [f"{', '.join(sorted(names))}: {what}" for what, names in waiting.items()]
        )

    def troubles(self) -> Iterator[Trouble]:
        """Why what is not up is not."""
        for pod in self.unready:
            yield from _of_pod(pod)
            # Events outlive what they tell of; with its volumes a pod gets this condition.
            if state(pod) == "starting" and not condition(pod, "PodReadyToStartContainers"):
                yield from list(self._events_of(pod, _VOLUMES))[-1:]
        for one in self.objects:
            if one["kind"] in _MAKE_PODS and not _has_pods(one):
                yield from self._events_of(one, {"FailedCreate"})
        for claim in self._of("PersistentVolumeClaim"):
            if claim["status"].get("phase") == "Pending":
                yield from self._events_of(claim, {"ProvisioningFailed"})

    def last_warning(self, pod: Object) -> str:
        """The newest event that warns about a pod."""
        warnings = list(self._events_of(pod, set()))
        return str(warnings[-1]) if warnings else ""

    def _events_of(self, one: Object, reasons: set[str]) -> Iterator[Trouble]:
        """Oldest first; all warnings when no reasons are given."""
        for event in self.events:
            if event["involvedObject"].get("uid") == _uid(one) and (
                event["reason"] in reasons or (not reasons and event["type"] == "Warning")
            ):
                yield Trouble(_name(one), event["reason"], event.get("message", "").strip())

    @property
    def _wanted(self) -> list[Object]:
        return [one for one in self.objects if one["kind"] in _COMPLETE]

    def _of(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]


def state(pod: Object) -> str:
    """What a pod is doing, in a few words."""
    status = pod["status"]
    if status.get("phase") == "Failed":
        return "failed"
    sidecars = {
        one["name"]
        for one in pod["spec"].get("initContainers", ())
        if one.get("restartPolicy") == "Always"
    }
    for one in status.get("initContainerStatuses", ()):
        if not one.get("started" if one["name"] in sidecars else "ready"):
            return f"{one['name']} first" if "running" in one["state"] else _why(one)
    containers = status.get("containerStatuses", ())
    late = [one for one in containers if not one.get("ready")]
    return ", ".join(dict.fromkeys(map(_why, late))) or ("running" if containers else "no node yet")


def _why(container: Object) -> str:
    reason = _waiting(container).get("reason") or "not ready"
    return "starting" if reason in _STARTING else f"{container['name']} {reason}"


def _of_pod(pod: Object) -> Iterator[Trouble]:
    status, name = pod["status"], _name(pod)
    for one in status.get("conditions", ()):
        if one["type"] == "PodScheduled" and one["status"] == "False":
            yield Trouble(name, "Unschedulable", one.get("message", ""))
    for one in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        waiting, ended = _waiting(one), one.get("state", {}).get("terminated", {})
        before = one.get("lastState", {}).get("terminated", {})
        if before.get("reason") == "OOMKilled":
            yield Trouble(name, "OOMKilled", f"{one['name']} needs more memory than its limit")
        elif waiting.get("reason", "") == "CrashLoopBackOff":
            yield Trouble(name, "CrashLoopBackOff", f"{one['name']} {_end(before)}")
        elif waiting.get("reason", "") not in _STARTING:
            yield Trouble(name, waiting["reason"], waiting.get("message", ""))
        elif ended.get("exitCode"):
            yield Trouble(name, "Failed", f"{one['name']} {_end(ended)}")


def _end(terminated: Object) -> str:
    return f"ended with {terminated.get('exitCode', '?')}"


def _waiting(container: Object) -> Mapping[str, Any]:
    return dict(container.get("state", {}).get("waiting", {}))


def _name(one: Object) -> str:
    return str(one["metadata"]["name"])


def _uid(one: Object) -> str:
    return str(one["metadata"]["uid"])


def condition(one: Object, kind: str) -> bool:
    """Whether it says so of itself; of what has no status, nothing is so."""
    conditions = one.get("status", {}).get("conditions") or ()
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def _has_pods(one: Object) -> bool:
    status = one["status"]
    counts = ("replicas", "currentNumberScheduled", "active", "succeeded", "failed")
    return any(status.get(key) for key in counts)


def _is_rolled_out(one: Object) -> bool:
    """Whether all pods are of the version last asked for, and available, and no others are left."""
    names = ("replicas", "updatedReplicas", "availableReplicas")
    return _is_seen(one) and _counts(one, names) == {one["spec"]["replicas"]}


def _is_on_every_node(one: Object) -> bool:
    names = ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    return _is_seen(one) and len(_counts(one, names)) == 1


def _counts(one: Object, names: Iterable[str]) -> set[int]:
    return {one["status"].get(name, 0) for name in names}


def _is_seen(one: Object) -> bool:
    """Whether the controller knows what was last asked for."""
    return int(one["status"].get("observedGeneration", 0)) >= int(one["metadata"]["generation"])


_COMPLETE: Mapping[str, Callable[[Object], bool]] = {
    "Deployment": _is_rolled_out,
    "StatefulSet": _is_rolled_out,
    "DaemonSet": _is_on_every_node,
    "Job": lambda one: condition(one, "Complete"),
}
