"""How many pods the Helm chart asks for, where an autoscaler has the say."""

import pytest

from tests.deploy.fake_cluster import fake_cluster, helm_against
from tests.deploy.manifests import NAMESPACE, RELEASE, Manifests, Object
from tests.deploy.values import nested

pytestmark = pytest.mark.deploy

SCALED = ("web", "api", "live")


@pytest.mark.parametrize(("kept", "kind"), [(True, "StatefulSet"), (False, "Deployment")])
def test_turning_the_autoscaler_on_leaves_the_pods_that_run(kept: bool, kind: str) -> None:
    there = [_workload("Deployment", "web", 4), _workload("Deployment", "live", 0)]
    there.append(_workload(kind, "api", 5))

    manifests = _against(there, {"autoscaling.enabled": True, "spool.persistence.enabled": kept})

    assert _replicas(manifests) == {"web": 4, "api": 5, "live": 0}


def test_autoscaler_of_a_new_installation_starts_with_what_kubernetes_gives() -> None:
    assert _replicas(_against([], {"autoscaling.enabled": True})) == dict.fromkeys(SCALED)


def test_without_an_autoscaler_values_say_how_many() -> None:
    there = [_workload("Deployment", "web", 4)]

    assert _replicas(_against(there, {"web.replicas": 3})) == {"web": 3, "api": 2, "live": 2}


def _against(there: list[Object], values: Object) -> Manifests:
    with fake_cluster(there) as address:
        done = helm_against(address, nested(values))
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def _replicas(manifests: Manifests) -> dict[str, int | None]:
    return {name: manifests.pod(name).owner["spec"].get("replicas") for name in SCALED}


def _workload(kind: str, component: str, replicas: int) -> Object:
    metadata = {
        "name": f"{RELEASE}-{component}",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": RELEASE,
            "meta.helm.sh/release-namespace": NAMESPACE,
        },
    }
    spec = {"replicas": replicas}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
