"""The release that all cases here take turns on."""

from collections.abc import Iterator

import pytest

from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.pod_scripts import Client, client_pod
from tests.services.kubernetes.release import Release


@pytest.fixture(scope="package")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that enforces Pod Security's "restricted"."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="package")
def board(cluster: Cluster, images: Images, namespace: str) -> Release:
    """The release, installed."""
    release = Release(cluster, images, namespace, options=("--set", "kafka.nodes=3"))
    release.install()
    return release


@pytest.fixture(scope="package")
def stranger(board: Release) -> Iterator[Client]:
    """A pod in the release's namespace that is no part of it."""
    with client_pod(board.cluster, board.images, board.namespace) as client:
        yield client
