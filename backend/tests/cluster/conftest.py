"""One cluster for the session, and Madang installed on it.

The cluster of KUBECONFIG, else kind's where Docker answers, else one that is started here, which
needs root. What is missing is an error, never a skip.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from tests.services.errors import ServiceError
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import Images
from tests.services.kubernetes.node_shell import NodeShell, node_shell
from tests.services.kubernetes.release import Release
from tests.services.kubernetes.selection import Chosen, chosen_cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What fails on a release comes with what its pods printed, for they are gone soon after."""
    report = yield
    if report.failed:
        for release in item.funcargs.values():
            if isinstance(release, Release):
                report.sections.append((f"Logs of {release.name}", _logs(release)))
    return report


def _logs(release: Release) -> str:
    try:
        return release.logs()
    except (ServiceError, TimeoutExpired) as error:
        return str(error)


@pytest.fixture(scope="session")
def chosen(services_directory: Path) -> Iterator[Chosen]:
    """The session's cluster, and the images that it can run."""
    with chosen_cluster(services_directory / "cluster") as found:
        yield found


@pytest.fixture(scope="session")
def cluster(chosen: Chosen) -> Cluster:
    """The session's cluster."""
    return chosen.cluster


@pytest.fixture(scope="session")
def images(chosen: Chosen) -> Images:
    """Madang's images, where the cluster finds them."""
    return chosen.images


@pytest.fixture(scope="session")
def nodes(cluster: Cluster) -> Iterator[NodeShell]:
    """A shell on the nodes; `nodes.kill(pod, "api")` ends a container with SIGKILL, in place."""
    with node_shell(cluster) as shell:
        yield shell


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for the module that enforces Pod Security's "restricted"."""
    with cluster.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def board(cluster: Cluster, images: Images, namespace: str) -> Release:
    """The small profile, installed for the module."""
    release = Release(cluster, images, namespace)
    release.install()
    return release
