"""The NetworkPolicies of the Helm chart: each allowed edge, and no other."""

import pytest

from tests.deploy.cases import ALL, rendered
from tests.deploy.policies import INTERNET, End, Policies, among, edges, reached

pytestmark = pytest.mark.deploy

STORES = {"mariadb", "redis", "kafka"}
EDGES = {
    ("web", "api", 5000),
    ("web", "live", 5001),
    ("test", "web", 8080),
    ("api", "mariadb", 3306),
    ("api", "redis", 6379),
    ("api", "kafka", 9092),
    ("live", "mariadb", 3306),
    ("live", "redis", 6379),
    ("record", "mariadb", 3306),
    ("record", "redis", 6379),
    ("record", "kafka", 9092),
    ("migrate", "mariadb", 3306),
    ("admin", "mariadb", 3306),
    ("prune", "mariadb", 3306),
    ("topics", "kafka", 9092),
    ("kafka", "kafka", 9092),
    ("kafka", "kafka", 9093),
}
STRANGER = End({"app.kubernetes.io/name": "other"}, namespace="elsewhere")
NEIGHBOUR = End({"app.kubernetes.io/name": "other"})
WITH_POLICIES = [case for case in ALL if case != "without what can be switched off"]


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_the_named_edges_are_allowed_and_no_other(case: str) -> None:
    manifests = rendered(case)

    assert edges(manifests) == among(manifests, EDGES)


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_nobody_outside_the_release_reaches_more_than_the_page(case: str) -> None:
    manifests = rendered(case)

    found = set[tuple[str, int]]().union(
        *(reached(manifests, source) for source in (STRANGER, NEIGHBOUR, INTERNET))
    )

    assert found == (set() if case == "load balancer" else {("web", 8080)})


def test_page_is_open_to_whom_values_name() -> None:
    manifests = rendered("load balancer")
    web = End.of(manifests.pod("web"))

    assert Policies(manifests).allow(End({}, address="192.0.2.7"), web, 8080)


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_every_pod_resolves_names_and_reaches_nothing_else_outside(case: str) -> None:
    policies = Policies(rendered(case))

    for pod in rendered(case).pods:
        for target in (INTERNET, STRANGER):
            assert policies.allow(End.of(pod), target, 53, "UDP")
            assert policies.allow(End.of(pod), target, 53, "TCP")
            for port in (80, 443, 3306, 6379, 9092):
                assert not policies.allow(End.of(pod), target, port), (pod.component, port)


def test_stores_outside_are_reached_where_values_say() -> None:
    manifests = rendered("stores outside")
    policies = Policies(manifests)
    database = End({}, address="10.20.0.5")
    cache = End({"any": "label"}, namespace="caches")

    for pod in manifests.pods:
        inside = pod.component not in {"web", "test"}
        assert policies.allow(End.of(pod), database, 3306) is inside, pod.component
        assert policies.allow(End.of(pod), cache, 6379) is inside
        assert not policies.allow(End.of(pod), database, 6379)
        assert not policies.allow(End.of(pod), End({}, address="10.21.0.5"), 3306)


def test_collector_is_reached_by_the_processes_alone() -> None:
    manifests = rendered("telemetry")
    policies = Policies(manifests)
    collector = End({"app": "collector"}, namespace="observability")

    reaching = {
        pod.component for pod in manifests.pods if policies.allow(End.of(pod), collector, 4318)
    }

    assert reaching == {"api", "live", "record"}


def test_without_policies_nothing_is_denied() -> None:
    assert rendered("without what can be switched off").of("NetworkPolicy") == []
