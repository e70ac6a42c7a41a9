"""What deploy.sh refuses and what it cannot know, on a real API server with nodes that only seem.

Their pods are ready at once and answer nothing.
"""

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.scripts import Scripts, everything
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.fake_nodes import fake_nodes
from tests.services.kubernetes.release import CHART
from tests.services.ports import free_port
from tests.services.process import Process
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

NAMESPACE = "boards"
CLASS = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: disk}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
"""
DEFAULT = "storageclass.kubernetes.io/is-default-class=true"


@pytest.fixture(scope="module")
def fake(services_directory: Path) -> Iterator[Cluster]:
    """Two large nodes, and a storage class that is not the default one."""
    with fake_nodes(services_directory / "fake") as cluster:
        cluster.apply(CLASS)
        yield cluster


@pytest.fixture
def scripts(fake: Cluster) -> Iterator[Scripts]:
    """For a namespace that is not there, and is not there afterwards."""
    yield Scripts(fake, NAMESPACE, ("--profile", "standard"))
    fake.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
    fake.kubectl("delete", "persistentvolumes", "--all")
    fake.kubectl("annotate", "storageclass", "disk", f"{DEFAULT.partition('=')[0]}-")


@pytest.fixture
def volumes(fake: Cluster, scripts: Scripts) -> None:
    """What the standard profile's claims are bound to; the class keeps them."""
    del scripts  # which removes them
    fake.apply(yaml.safe_dump_all(volume(f"disk-{number}") for number in range(6)))
    fake.kubectl("annotate", "storageclass", "disk", DEFAULT)


def volume(name: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "disk",
            "hostPath": {"path": "/nowhere"},
        },
    }


def size(cluster: Cluster, cpu: str, memory: str) -> None:
    amounts = f"{{cpu: '{cpu}', memory: {memory}, pods: '110'}}"
    for node in cluster.get("nodes"):
        cluster.kubectl(
            "patch", f"node/{node['metadata']['name']}", "--subresource=status",
            f"--patch=status: {{allocatable: {amounts}}}",
        )  # fmt: skip


def with_kubeconfig(path: Path, cluster: Cluster, **changes: str) -> Cluster:
    """The same cluster, with a server or a token that is another one."""
    found = yaml.safe_load(cluster.kubeconfig.read_text())
    if "server" in changes:
        found["clusters"][0]["cluster"]["server"] = changes["server"]
    if "token" in changes:
        found["users"][0]["user"] = {"token": changes["token"]}
    path.write_text(yaml.safe_dump(found))
    return Cluster(path)


def test_cluster_that_does_not_answer_is_told(fake: Cluster, tmp_path: Path) -> None:
    server = f"https://127.0.0.1:{free_port()}"
    gone = Scripts(with_kubeconfig(tmp_path / "gone", fake, server=server), NAMESPACE)

    for told in (gone.deploy(), gone.cleanup()):
        assert told.returncode == 1
        assert "the cluster of kubectl's context 'madang' does not answer" in told.stderr
        assert "mend: start it, or choose another one: kubectl config get-contexts" in told.stderr


def test_wrong_credentials_are_told(fake: Cluster, tmp_path: Path) -> None:
    stranger = Scripts(with_kubeconfig(tmp_path / "stranger", fake, token="wrong"), NAMESPACE)

    assert "Unauthorized" in stranger.deploy().stderr


def test_without_a_terminal_and_a_yes_nothing_is_done(scripts: Scripts) -> None:
    told = scripts.deploy(yes=False)

    assert told.returncode == 1
    assert "There is no terminal to ask on; say --yes" in told.stderr


def test_another_answer_than_yes_changes_nothing(scripts: Scripts) -> None:
    before = everything(scripts.cluster)
    ours, theirs = pty.openpty()
    os.write(ours, b"no\n")

    told = subprocess.run(
        scripts.command("deploy.sh", "--profile", "small"),
        env=scripts.environment,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)

    assert told.returncode == 1
    assert "Install the profile small into the namespace boards of this cluster?" in told.stderr
    assert "error: nothing was changed" in told.stderr
    assert everything(scripts.cluster) == before


def test_all_that_is_in_the_way_is_told_at_once(scripts: Scripts, fake: Cluster) -> None:
    before = everything(fake)
    size(fake, "600m", "1Gi")
    try:
        told = scripts.deploy()
    finally:
        size(fake, "32", "256Gi")

    assert told.returncode == 1
    assert "error: 3 things are in the way" in told.stderr
    assert "CPU: 1.925 requested, 1.2 free on 2 node(s), all pods together" in told.stderr
    assert "memory: 4880 MiB requested, 2048 MiB free on 2 node(s)" in told.stderr
    assert "mend: give the cluster more or larger nodes, or take --profile small" in told.stderr
    assert "no default storage class for spool-madang-api, data-madang-kafka" in told.stderr
    assert f"mend: kubectl annotate --overwrite storageclass disk {DEFAULT}" in told.stderr
    assert everything(fake) == before


def test_room_is_looked_for_together_with_what_collects(scripts: Scripts, fake: Cluster) -> None:
    fake.kubectl("annotate", "storageclass", "disk", DEFAULT)
    size(fake, "500m", "4Gi")
    try:
        board = scripts.deploy("--profile", "small", "--dry-run")
        both = scripts.deploy("--profile", "small", "--observability", "--dry-run")
    finally:
        size(fake, "32", "256Gi")

    assert board.returncode == 0, board.stderr
    assert both.returncode == 1
    assert "CPU: 1.065 requested, 1 free on 2 node(s), all pods together" in both.stderr


def test_values_that_the_chart_refuses_are_told_in_its_words(
    scripts: Scripts, tmp_path: Path
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("mariadb: {persistence: {storageClass: disk}, enabled: false}\n")

    told = scripts.deploy("--values", str(values))

    assert told.returncode == 1
    assert "mariadb.external.urlSecret.name must name a Secret with its address" in told.stderr


@pytest.mark.usefixtures("volumes")
def test_kind_that_the_cluster_does_not_know_is_told(scripts: Scripts, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("prometheusRule: {enabled: true}\n")

    told = scripts.deploy("--values", str(values))

    assert told.returncode == 1
    assert 'no matches for kind "PrometheusRule"' in told.stderr
    assert "mend: change them in your --values, or install what they ask for" in told.stderr


@pytest.mark.usefixtures("volumes")
def test_missing_rights_are_told_with_the_role_that_gives_them(
    scripts: Scripts, fake: Cluster, tmp_path: Path
) -> None:
    here = f"--namespace={NAMESPACE}"
    fake.kubectl("create", "namespace", NAMESPACE)
    fake.kubectl("create", "serviceaccount", "reader", here)
    reader = f"--serviceaccount={NAMESPACE}:reader"
    fake.kubectl("create", "rolebinding", "reader", "--clusterrole=view", reader, here)
    token = fake.kubectl("create", "token", "reader", here)
    limited = with_kubeconfig(tmp_path / "reader", fake, token=token.strip())

    told = Scripts(limited, NAMESPACE, scripts.options).deploy()

    assert told.returncode == 1
    assert (
        "you may not: create pods, create pods/portforward, delete pods, list secrets"
        in told.stderr
    )
    assert "kubectl create rolebinding madang-deployer --clusterrole=admin" in told.stderr
    assert "not checked: room on the nodes" in told.stdout


@pytest.mark.usefixtures("volumes")
def test_release_that_was_cut_off_is_told_and_its_command_frees_it(
    scripts: Scripts, fake: Cluster, tmp_path: Path
) -> None:
    fake.kubectl("create", "namespace", NAMESPACE)
    fake.kubectl("cordon", "fake-1", "fake-2")
    install = ["helm", "install", "madang", str(CHART), f"--namespace={NAMESPACE}", "--wait"]
    helm = Process("helm", install, log=tmp_path / "log", environment=fake.environment)
    helm.start()
    owned = "--selector=name=madang,owner=helm"
    wait_until(lambda: fake.get("secrets", owned, f"--namespace={NAMESPACE}"), 60, "the release")
    helm.kill()
    fake.kubectl("uncordon", "fake-1", "fake-2")

    told = scripts.deploy("--dry-run")
    mend = f"helm uninstall madang --namespace {NAMESPACE}"

    assert told.returncode == 1
    assert "the release madang is in the state pending-install" in told.stderr
    assert f"when no other helm runs: {mend}" in told.stderr
    fake.helm(*mend.split()[1:])
    assert scripts.deploy("--dry-run").returncode == 0


@pytest.mark.usefixtures("volumes")
def test_standard_profile_comes_up_in_somebody_elses_namespace_and_goes_again(
    scripts: Scripts, fake: Cluster
) -> None:
    fake.kubectl("create", "namespace", NAMESPACE)
    fake.kubectl("create", "configmap", "theirs", f"--namespace={NAMESPACE}")
    before = everything(fake, namespace=NAMESPACE)

    told = scripts.deploy()
    assert told.returncode == 1
    assert "The namespace boards is there and stays as it is" in told.stdout
    assert "10 of 10 are up" in told.stdout
    assert "service/madang-web does not answer" in told.stderr
    assert "run the same command again to go on" in told.stderr
    # The API server warns of each pod that the namespace would not let in.
    enforced = ("namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    fake.kubectl("label", "--dry-run=server", "--warnings-as-errors", *enforced)

    refused = scripts.deploy("--dry-run", "--profile", "small")
    assert "Kafka has 3 volume(s) and kafka.nodes is 1; it cannot change" in refused.stderr

    kept = scripts.cleanup("--delete-data")
    assert kept.returncode == 1
    assert "These volumes are left, kept by their storage class" in kept.stderr
    assert everything(fake, namespace=NAMESPACE) == before
    labels = fake.get(f"namespace/{NAMESPACE}")["metadata"]["labels"]
    assert "pod-security.kubernetes.io/enforce" not in labels
    fake.kubectl("delete", "persistentvolumes", "--all")
    assert scripts.cleanup("--delete-data").returncode == 0


def test_collection_serves_every_board_and_goes_with_the_last(
    scripts: Scripts, fake: Cluster, volumes: None, tmp_path: Path
) -> None:
    del volumes
    fake.apply(yaml.safe_dump_all(volume(f"more-{number}") for number in range(3)))
    own = tmp_path / "own.yaml"
    own.write_text("grafana: {enabled: false}\n")
    options = ("--profile", "small", "--observability", "--observability-values", str(own))
    others = Scripts(fake, "boards-too")

    for board in (scripts, others):
        told = board.deploy(*options)
        assert "service/madang-web does not answer" in told.stderr, told.stderr
        assert collected(fake)[-1] == board.namespace
    assert collected(fake) == [NAMESPACE, others.namespace]
    space = fake.get("namespace/observability")["metadata"]["labels"]
    assert space["pod-security.kubernetes.io/enforce"] == "privileged"
    (agent,) = fake.get("daemonsets", "--namespace=observability")
    assert agent["status"]["numberReady"] == len(fake.get("nodes"))
    assert fake.get("deployments/observability-gateway", "--namespace=observability")
    assert fake.try_kubectl("get", "deployment/observability-grafana", "-nobservability") is None

    left = others.cleanup("--delete-data")
    assert f"metrics stays: it serves {NAMESPACE}, too" in left.stdout
    assert collected(fake) == [NAMESPACE]
    fake.kubectl("delete", "persistentvolumes", "--all", "--wait=false")
    for board in (scripts, others):
        done = board.cleanup("--delete-data")
        assert done.returncode == 0, done.stderr
        assert f"there is no namespace {board.namespace}" in done.stdout
    assert fake.try_kubectl("get", "namespace/observability") is None


def collected(cluster: Cluster) -> list[str]:
    """The namespaces whose logs are collected."""
    values = cluster.helm("get", "values", "observability", "-nobservability", "--output=json")
    namespaces: list[str] = json.loads(values)["namespaces"]
    return namespaces
