"""Which cluster there is to use: the one of KUBECONFIG, kind's where Docker answers, or our own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import yaml

from tests.services.errors import ServiceError
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images, built_images, published_images
from tests.services.kubernetes.node import ADDONS, node
from tests.services.nginx import REPOSITORY

NEXT_VERSION = Path(__file__).with_name("next_version")

_KIND_SECONDS = 600
_METRICS_SERVER = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A cluster, what it is, and the images that it can run."""

    cluster: Cluster
    images: Images
    kind: str


@contextmanager
def chosen_cluster(directory: Path) -> Iterator[Chosen]:
    """A cluster for the block; one of our own keeps its files in this directory, which is made.

    Raises:
        ServiceError: there is none and none can be made; the message says why.
    """
    if path := os.environ.get("KUBECONFIG"):
        cluster = Cluster(Path(path))
        cluster.kubectl("get", "--raw=/readyz")
        yield Chosen(cluster, published_images(), "of KUBECONFIG")
    elif _docker_answers() and shutil.which("kind"):
        with _kind(directory) as made:
            yield made
    else:
        images = built_images()
        with node(directory, list(images.archives.values())) as own:
            yield Chosen(own.cluster, images, "own node")


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60)
    return asked.returncode == 0


@contextmanager
def _kind(directory: Path) -> Iterator[Chosen]:
    """A cluster by kind with Madang's images, by Docker; the stores' are the official ones."""
    name = f"madang-{uuid4().hex[:8]}"
    directory.mkdir(parents=True)
    kubeconfig = directory / "kubeconfig"
    images = Images(name)
    references = _built_by_docker(images)
    try:
        _run("kind", "create", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}")
        _run("kind", "load", "docker-image", f"--name={name}", *references)
        cluster = Cluster(kubeconfig)
        cluster.wait("condition=Ready", "nodes", "--all")
        _add_metrics(cluster)
        yield Chosen(cluster, images, "kind")
    finally:
        _run("kind", "delete", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}")


def _add_metrics(cluster: Cluster) -> None:
    """Our own node's metrics-server, out of its official image."""
    for file in sorted(ADDONS.glob("metrics-server/*.yaml")):
        manifest = yaml.safe_load(file.read_text())
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            del pod["volumes"]
            (container,) = pod["containers"]
            del container["volumeMounts"]
            container |= {"image": _METRICS_SERVER, "imagePullPolicy": "IfNotPresent"}
            container["args"] = container.pop("command")[1:]
        cluster.apply(yaml.safe_dump(manifest))
    cluster.wait("condition=Available", "apiservice/v1beta1.metrics.k8s.io", seconds=_KIND_SECONDS)


def _built_by_docker(images: Images) -> list[str]:
    """The references of Madang's own images and of the next version's."""
    own, web = images.reference("madang"), images.reference("madang-web")
    next_own, next_web = (images.next.reference(name) for name in ("madang", "madang-web"))
    for reference, source in ((own, "madang"), (web, "web")):
        dockerfile = REPOSITORY / "deploy" / "images" / source / "Dockerfile"
        _run("docker", "build", "--file", str(dockerfile), "--tag", reference, str(REPOSITORY))
    base = f"--build-arg=BASE_IMAGE={own}"
    _run("docker", "build", base, "--tag", next_own, str(NEXT_VERSION))
    _run("docker", "tag", web, next_web)
    return [own, web, next_own, next_web]


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_KIND_SECONDS)
    if done.returncode:
        words = " ".join(argv)
        raise ServiceError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
