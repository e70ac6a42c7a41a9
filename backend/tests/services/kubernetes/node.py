"""One real node with its control plane, as root: images run, probes probe, policies hold.

containerd, kubelet, kube-proxy, CoreDNS, volumes by local-path-provisioner, metrics-server, and
kube-router for NetworkPolicies, in a sandbox. kubectl and helm work from outside it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.errors import ServiceError
from tests.services.kubernetes.cgroup import cgroup
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.containerd import containerd_process, image_store, load_images
from tests.services.kubernetes.control_plane import NODE, SERVICES, ControlPlane, control_plane
from tests.services.kubernetes.programs import built
from tests.services.kubernetes.sandbox import Sandbox, sandbox
from tests.services.process import Process

_FILES = Path(__file__).with_name("node_files")
ADDONS = Path(__file__).with_name("addons")
_PODS = "10.244.0.0/24"
_READY_SECONDS = 240
# Holds the namespaces of pods and makes the directories of volumes.
_SHELL_IMAGE = "docker.io/library/debian:bookworm-slim"


@dataclass(frozen=True, slots=True)
class Node:
    """A running one."""

    cluster: Cluster
    sandbox: Sandbox

    @property
    def address(self) -> str:
        """Where this machine reaches it, with the ports of NodePort Services."""
        return self.sandbox.address

    def load(self, archive: Path) -> None:
        """Bring more images in, out of an archive as `podman save` writes it."""
        load_images(self.sandbox, archive)


@contextmanager
def node(directory: Path, archives: Sequence[Path]) -> Iterator[Node]:
    """A cluster of one node in this directory, which is made, with these images.

    Raises:
        ServiceError: we are not root, or something did not start.
    """
    if os.geteuid() != 0:
        raise ServiceError("a real node needs root; without it there are fake nodes")
    with ExitStack() as ends:
        group = ends.enter_context(cgroup())
        box = ends.enter_context(sandbox(directory))
        _link(
            box,
            files=_FILES,
            programs=built(),
            certificates=directory / "control" / "certificates",
        )
        store = ends.enter_context(image_store(archives))
        containerd = containerd_process(box, directory / "containerd.log", store)
        ends.callback(containerd.stop, 0)
        containerd.spawn()
        plane = ends.enter_context(control_plane(directory / "control", box))
        plane.cluster.kubectl("apply", "--recursive", "--filename", ADDONS)
        containerd.wait_ready()
        processes = [_kubelet(plane, group), _proxy(plane), _firewall(plane), _volumes(plane)]
        for process in processes:
            ends.callback(process.stop, 0)
            process.start()
            # kube-router ends, and no policy holds, where it does not find its node.
            plane.cluster.wait("create", f"node/{NODE}", seconds=_READY_SECONDS)
        _wait_ready(plane.cluster)
        for process in processes:
            process.wait_ready()
        yield Node(plane.cluster, box)


def _link(box: Sandbox, **targets: Path) -> None:
    """Give what manifests and settings name a fixed path, wherever it is on this machine."""
    box.run("mkdir", "/run/madang")
    for name, target in targets.items():
        box.run("ln", "--symbolic", target, f"/run/madang/{name}")


def _kubelet(plane: ControlPlane, group: str) -> Process:
    return plane.process(
        "kubelet",
        {
            "config": "/run/madang/files/kubelet.yaml",
            "kubeconfig": plane.kubeconfig("kubelet"),
            "cgroup-root": group,
            "hostname-override": NODE,
            "node-ip": plane.address,
            "address": plane.address,
        },
    )


def _proxy(plane: ControlPlane) -> Process:
    """Without its changes to the machine's table of connections."""
    return plane.process(
        "kube-proxy",
        {
            "kubeconfig": plane.kubeconfig("proxy"),
            "hostname-override": NODE,
            "proxy-mode": "iptables",
            "cluster-cidr": _PODS,
            "conntrack-max-per-core": 0,
            "conntrack-min": 0,
            "conntrack-tcp-timeout-established": 0,
            "conntrack-tcp-timeout-close-wait": 0,
        },
    )


def _firewall(plane: ControlPlane) -> Process:
    return plane.process(
        "kube-router",
        {
            "kubeconfig": plane.kubeconfig("admin"),
            "hostname-override": NODE,
            "run-firewall": "true",
            "run-router": "false",
            "run-service-proxy": "false",
            "run-loadbalancer": "false",
            "service-cluster-ip-range": f"{SERVICES}.0.0/16",
            "health-port": 0,
        },
    )


def _volumes(plane: ControlPlane) -> Process:
    return plane.process(
        "local-path-provisioner",
        {
            "kubeconfig": plane.kubeconfig("admin"),
            "namespace": "kube-system",
            "config": "/run/madang/files/local-path.json",
            "helper-pod-file": "/run/madang/files/local-path-pod.yaml",
            "helper-image": _SHELL_IMAGE,
        },
        "start",
    )


def _wait_ready(cluster: Cluster) -> None:
    cluster.wait("condition=Ready", f"node/{NODE}", seconds=_READY_SECONDS)
    for name in ("coredns", "metrics-server"):
        wait = ("rollout", "status", f"deployment/{name}", "--namespace=kube-system")
        cluster.kubectl(*wait, f"--timeout={_READY_SECONDS}s")
    cluster.wait("condition=Available", "apiservice/v1beta1.metrics.k8s.io")
