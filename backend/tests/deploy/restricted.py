"""Pod Security's "restricted", and a read-only root file system on top.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from collections.abc import Iterator

from tests.deploy.manifests import Pod

_VOLUMES = {"configMap", "emptyDir", "secret", "persistentVolumeClaim", "projected"}
_FORBIDDEN = {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"}


def assert_restricted(pod: Pod) -> None:
    """The pod keeps to it in every respect."""
    security = pod.spec["securityContext"]
    assert security["runAsNonRoot"] is True, pod.component
    assert security["runAsUser"] > 0
    assert set(kinds_of_volumes(pod)) <= _VOLUMES
    assert_confined(pod)


def assert_confined(pod: Pod) -> None:
    """The same but for the user and the volumes."""
    assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not _FORBIDDEN & set(pod.spec), pod.component
    for container in pod.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, (pod.component, container["name"])
        assert not any("hostPort" in port for port in container.get("ports", ()))


def kinds_of_volumes(pod: Pod) -> Iterator[str]:
    """As `emptyDir`, one for each volume."""
    for volume in pod.spec.get("volumes", ()):
        yield from (kind for kind in volume if kind != "name")
