"""A control plane with nodes that exist only in it: pods become Ready, Jobs complete, nothing runs.

Schedules, admits and reports as a cluster does. Fake pods are always Ready, so an order that would
deadlock on a real node passes here; images, probes, policies and names are not proven.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.control_plane import control_plane
from tests.services.kubernetes.programs import built

_SIZE = {"cpu": "32", "memory": "256Gi", "pods": "110", "ephemeral-storage": "100Gi"}


@contextmanager
def fake_nodes(directory: Path, *, nodes: int = 2) -> Iterator[Cluster]:
    """A cluster in this directory, which is made, with this many nodes in zones of their own."""
    with control_plane(directory) as plane:
        kwok = plane.process(
            "kwok",
            {
                "kubeconfig": plane.kubeconfig("admin"),
                "manage-all-nodes": "true",
                "node-lease-duration-seconds": 40,
                "config": built() / "kwok-stages.yaml",
                "cidr": "10.250.0.0/16",
                "node-ip": "127.0.0.1",
            },
        )
        try:
            kwok.start()
            cluster = plane.cluster
            names = [f"fake-{number}" for number in range(1, nodes + 1)]
            cluster.apply(yaml.safe_dump_all(_node(name) for name in names))
            cluster.wait("condition=Ready", *(f"node/{name}" for name in names))
            yield cluster
        finally:
            kwok.stop(0)


def _node(name: str) -> dict[str, object]:
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-of-{name}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": _SIZE, "capacity": _SIZE},
    }
