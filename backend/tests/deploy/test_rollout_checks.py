"""What else may be in the way of an installation, from what a cluster says."""

from typing import Any

import pytest

from rollout import checks, images, rights
from tests.deploy.cases import rendered

pytestmark = pytest.mark.deploy

STANDARD = rendered("profile standard").objects
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def storage_class(name: str, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations}}


def claim(component: str, number: int = 0) -> dict[str, Any]:
    name = f"data-board-{component}-{number}"
    return {"metadata": {"name": name, "labels": {checks.COMPONENT: component}}}


def test_default_class_serves_all_volumes() -> None:
    found = checks.volumes(STANDARD, [storage_class("plain"), storage_class("disk", **DEFAULT)], [])

    assert list(found) == []


def test_missing_default_class_names_the_volumes_and_the_command() -> None:
    (fault,) = checks.volumes(STANDARD, [storage_class("disk")], [])

    assert fault.missing == (
        "no default storage class for spool-board-api, data-board-kafka, data-board-mariadb; "
        "there are: disk"
    )
    assert fault.mend == (
        "kubectl annotate --overwrite storageclass disk "
        "storageclass.kubernetes.io/is-default-class=true"
    )


def test_class_that_values_name_must_be_there() -> None:
    found = checks.volumes(rendered("profile aks").objects, [storage_class("disk", **DEFAULT)], [])

    (fault,) = found
    assert fault.missing == (
        "no storage class managed-csi-premium for spool-board-api, data-board-kafka, "
        "data-board-mariadb; there are: disk"
    )


def test_volumes_that_are_there_need_no_class() -> None:
    small = rendered("profile small").objects

    assert list(checks.volumes(small, [], [claim("mariadb"), claim("kafka")])) == []


@pytest.mark.parametrize(
    ("profile", "numbers", "fits"),
    [
        ("standard", (0, 1, 2), True),
        ("standard", (0, 1), True),
        ("standard", (1, 2), True),
        ("standard", (), True),
        ("standard", (0,), False),
        ("small", (0,), True),
        ("small", (), True),
        ("small", (0, 1, 2), False),
        ("small", (2,), False),
    ],
)
def test_number_of_kafka_nodes_stays_that_of_its_volumes(
    profile: str, numbers: tuple[int, ...], *, fits: bool
) -> None:
    objects = rendered(f"profile {profile}").objects
    claims = [claim("kafka", number) for number in numbers]

    told = [fault.missing for fault in checks.kept(objects, claims, ["board-secrets"], "boards")]

    nodes = 3 if profile == "standard" else 1
    refusal = f"Kafka has {len(numbers)} volume(s) and kafka.nodes is {nodes}; it cannot change"
    assert told == ([] if fits else [refusal])


def test_volumes_without_their_secret_are_told() -> None:
    (fault,) = checks.kept(STANDARD, [claim("mariadb")], ["others"], "boards")

    assert "the Secret board-secrets that opens them is gone" in fault.missing
    assert "cleanup.sh --namespace boards --delete-data" in fault.mend


def secret(name: str, **data: str) -> dict[str, Any]:
    keys = {key.replace("_", "-"): value for key, value in data.items()}
    return {"metadata": {"name": name, "labels": {checks.COMPONENT: "secrets"}}, "data": keys}


FIRST = secret("board-secrets", mariadb_password="a", kafka_cluster_id="b", redis_password="c")
GIVEN = secret("mine", mariadb_password="a", kafka_cluster_id="other", redis_password="other")
ROTATED = secret("mine", mariadb_password="new", kafka_cluster_id="b")


def test_another_secret_must_open_the_volumes_that_are_there() -> None:
    own = rendered("existing secrets").objects

    (fault,) = checks.opens(own, STANDARD, [FIRST, GIVEN])

    assert fault.missing == (
        "the Secret mine has another kafka-cluster-id than board-secrets, "
        "with which the volumes began"
    )
    assert fault.mend.startswith("give mine the kafka-cluster-id of board-secrets")
    assert list(checks.opens(own, own, [FIRST, ROTATED])) == []
    assert list(checks.opens(STANDARD, STANDARD, [FIRST, GIVEN])) == []
    assert list(checks.opens(own, STANDARD, [GIVEN])) == []


def test_another_secret_must_open_the_volumes_that_cleanup_left() -> None:
    own, claims = rendered("existing secrets").objects, [claim("mariadb"), claim("kafka")]

    (fault,) = checks.opens_kept(own, claims, [FIRST], [FIRST, GIVEN])

    assert "another kafka-cluster-id than board-secrets" in fault.missing
    assert list(checks.opens_kept(own, claims, [FIRST], [FIRST, ROTATED])) == []
    assert list(checks.opens_kept(own, claims[:1], [FIRST], [FIRST, GIVEN])) == []
    assert list(checks.opens_kept(own, claims, [], [GIVEN])) == []
    strange = {"metadata": {"name": "board-strange", "labels": {}}}
    assert list(checks.opens_kept(own, claims, [strange], [strange, GIVEN])) == []


@pytest.mark.parametrize("status", ["", "deployed", "failed", "superseded", "uninstalled"])
def test_release_that_helm_can_upgrade_is_fine(status: str) -> None:
    assert list(checks.release(status, "madang", "boards")) == []


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("pending-install", "helm uninstall madang --namespace boards"),
        ("pending-upgrade", "helm rollback madang --namespace boards"),
        ("uninstalling", "deploy/cleanup.sh --namespace boards"),
    ],
)
def test_release_that_was_cut_off_is_told_with_what_mends_it(status: str, command: str) -> None:
    (fault,) = checks.release(status, "madang", "boards")

    assert status.removesuffix("ing") in fault.missing
    assert command in fault.mend


def test_release_of_another_chart_is_left_alone() -> None:
    where = ("observability", "observability")

    (fault,) = checks.chart("opentelemetry-collector", "observability", *where)

    assert "is of the chart opentelemetry-collector, not observability" in fault.missing
    assert "helm uninstall observability --namespace observability" in fault.mend
    assert list(checks.chart("observability", "observability", *where)) == []


def test_namespace_on_its_way_out_is_waited_for() -> None:
    going = {"status": {"phase": "Terminating"}}

    (fault,) = checks.namespace(going, "boards")
    assert "kubectl wait --for=delete namespace/boards" in fault.mend
    assert list(checks.namespace(None, "boards")) == []


def test_rights_cover_every_kind_of_the_chart() -> None:
    objects = rendered("gateway").objects
    asked = {str(right) for right in rights.wanted(objects, namespace=False)}

    assert {
        "create networkpolicies.networking.k8s.io",
        "patch statefulsets.apps",
        "create httproutes.gateway.networking.k8s.io",
        "create services",
        "create pods/portforward",
        "create namespaces",
    } <= asked
    assert "create namespaces" not in {
        str(right) for right in rights.wanted(objects, namespace=True)
    }


def test_images_are_those_of_all_containers() -> None:
    assert images.needed(STANDARD) == {
        "madang:0.2.0": "IfNotPresent",
        "madang-web:0.2.0": "IfNotPresent",
        "docker.io/library/mariadb:11.4.8": "IfNotPresent",
        "docker.io/library/redis:7.2.11": "IfNotPresent",
        "docker.io/apache/kafka:4.1.1": "IfNotPresent",
    }


def has(*names: str) -> dict[str, Any]:
    return {"status": {"images": [{"names": [name]} for name in names]}}


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("madang:1", "docker.io/library/madang:1"),
        ("apache/kafka:4", "docker.io/apache/kafka:4"),
        ("localhost/madang:1", "localhost/madang:1"),
        ("registry:5000/madang:1", "registry:5000/madang:1"),
        ("example.azurecr.io/madang:1", "example.azurecr.io/madang:1"),
    ],
)
def test_image_is_known_by_the_name_that_nodes_tell(image: str, told: str) -> None:
    assert images.absent({image: "IfNotPresent"}, [has(told)]) == {}


def test_image_is_asked_for_where_one_node_has_it_not_or_it_is_always_pulled() -> None:
    there, name = has("docker.io/library/madang:1"), "madang:1"

    assert images.absent({name: "IfNotPresent"}, [there, has()]) == {name: "IfNotPresent"}
    assert images.absent({name: "Always"}, [there]) == {name: "Always"}
