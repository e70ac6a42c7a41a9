"""Names that Kubernetes takes and YAML takes for something else."""

from pathlib import Path

import pytest

from tests.deploy import tools
from tests.deploy.manifests import Object, render
from tests.deploy.observability import external
from tests.deploy.values import nested

pytestmark = pytest.mark.deploy


@pytest.mark.parametrize("name", ["2024", "on"])
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_name_like_a_number_or_a_switch_stays_a_name(name: str, where: str, tmp_path: Path) -> None:
    values = nested({**_named_like(name), **(_outside_like(name) if where == "outside" else {})})

    manifests = render(values, release=name, namespace=name)

    (tmp_path / "named.yaml").write_text(manifests.text)
    done = tools.kubeconform(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["2024", "on"])
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_name_like_a_number_stays_one_where_logs_are_collected(
    name: str, where: str, tmp_path: Path
) -> None:
    values = nested({**_collected_like(name), **(_sent_like(name) if where == "outside" else {})})

    manifests = render(values, release=name, namespace=name, chart=tools.OBSERVABILITY)

    (tmp_path / "named.yaml").write_text(manifests.text)
    done = tools.kubeconform(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def _collected_like(name: str) -> Object:
    return {
        "fullnameOverride": "o",
        "namespaces": [name],
        "imagePullSecrets": [name],
        "grafana.existingSecret": name,
        **{f"{one}.persistence.storageClass": name for one in ("loki", "tempo", "prometheus")},
        "nodeSelector": {"example": name},
    }


def _sent_like(name: str) -> Object:
    outside = external("loki", url="https://loki.example.com", secret=name)
    return {"loki": outside, "networkPolicy.egress": [{"namespace": name, "ports": [3100]}]}


def _named_like(name: str) -> Object:
    return {
        **{f"{one}.persistence.storageClass": name for one in ("spool", "mariadb", "kafka")},
        "fullnameOverride": "b",
        "imagePullSecrets": [name],
        "secrets.existingSecret": name,
        "admin.existingSecret": name,
        "kafka.topic": name,
        "publicUrl": f"https://{name}",
        "web.ingress": {"enabled": True, "className": name, "tlsSecret": name},
        "web.httpRoute": {"enabled": True, "parentRefs": [{"name": name}]},
        "nodeSelector": {"example": name},
    }


def _outside_like(name: str) -> Object:
    kafka = {"bootstrap": "10:30", "credentialsSecret": name, "caSecret": name}
    return {
        "mariadb": {"enabled": False, "external": {"urlSecret": {"name": name, "key": name}}},
        "redis": {"enabled": False, "external": {"urlSecret": {"name": name, "key": name}}},
        "kafka.enabled": False,
        "kafka.external": {**kafka, "securityProtocol": "SASL_SSL"},
        "networkPolicy.egress": [{"namespace": name, "ports": [3306]}],
    }
