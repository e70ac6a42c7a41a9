"""The Helm chart: that Kubernetes takes it, and that its parts fit together."""

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from madang import __version__
from tests.deploy import tools
from tests.deploy.cases import ALL, OUTSIDE, PROFILES, SWITCHES, rendered
from tests.deploy.manifests import NAMESPACE, Manifests, Object, Pod, render

pytestmark = pytest.mark.deploy

STORES = ("mariadb", "redis", "kafka")
LONGEST_NAME = 63
LONGEST_OF_STATEFUL_SET = 52
"""Its pods' label controller-revision-hash adds 11."""

OWN_ANNOTATIONS = {
    "helm.sh/resource-policy",
    "helm.sh/hook",
    "helm.sh/hook-delete-policy",
    "madang/configuration",
}


def test_chart_passes_helms_own_strict_checks() -> None:
    for profile in PROFILES:
        values = tools.CHART / "profiles" / f"{profile}.yaml"
        done = tools.run("helm", "lint", "--strict", "--quiet", tools.CHART, "-f", values)
        assert done.returncode == 0, done.stdout + done.stderr


def test_chart_is_of_the_programs_version() -> None:
    chart = yaml.safe_load((tools.CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == __version__


def test_every_rendering_fits_kubernetes_schemas(tmp_path: Path) -> None:
    for number, case in enumerate(ALL):
        (tmp_path / f"{number}-{case.replace(' ', '-')}.yaml").write_text(rendered(case).text)

    done = tools.kubeconform(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


def test_a_field_that_kubernetes_does_not_know_is_found(tmp_path: Path) -> None:
    text = rendered("nothing").text.replace("terminationGracePeriodSeconds", "terminationGraceTime")
    (tmp_path / "wrong.yaml").write_text(text)

    done = tools.kubeconform(tmp_path)

    assert done.returncode == 1
    assert "terminationGraceTime" in done.stdout


@pytest.mark.parametrize("case", ALL)
def test_what_is_referred_to_is_there(case: str) -> None:
    manifests = rendered(case)

    for pod in manifests.pods:
        volumes = {volume["name"] for volume in pod.spec.get("volumes", ())}
        volumes |= {
            claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", ())
        }
        mounted = {mount["name"] for one in pod.containers for mount in one["volumeMounts"]}
        assert mounted == volumes, pod.component
        assert pod.spec["serviceAccountName"] in _names(manifests, "ServiceAccount")
        assert set(_config_maps(pod)) <= _names(manifests, "ConfigMap")


@pytest.mark.parametrize("case", ALL)
def test_every_service_leads_to_a_port_of_one_component(case: str) -> None:
    manifests = rendered(case)

    for service in manifests.of("Service"):
        spec = service["spec"]
        pods = [pod for pod in manifests.pods if spec["selector"].items() <= pod.labels.items()]
        assert len(pods) == 1, service["metadata"]["name"]
        names = {port["name"] for one in pods[0].containers for port in one.get("ports", ())}
        assert {port["targetPort"] for port in spec["ports"]} <= names


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("LoadBalancer", ["192.0.2.7/32"]), ("NodePort", None), ("ClusterIP", None)],
)
def test_ranges_are_a_load_balancers_alone(kind: str, wanted: list[str] | None) -> None:
    service = {"type": kind, "sourceRanges": ["192.0.2.7/32"]}

    web = render({"web": {"service": service}}).one("Service", "web")

    assert web["spec"].get("loadBalancerSourceRanges") == wanted


@pytest.mark.parametrize("case", ALL)
def test_scaling_and_budgets_are_of_workloads_that_exist(case: str) -> None:
    manifests = rendered(case)
    workloads = {(one["kind"], one["metadata"]["name"]): one for one in manifests.objects}

    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        workload = workloads[target["kind"], target["name"]]
        assert "replicas" not in workload["spec"]
        names = {one["name"] for one in workload["spec"]["template"]["spec"]["containers"]}
        assert scaler["spec"]["metrics"][0]["containerResource"]["container"] in names
    for budget in manifests.of("PodDisruptionBudget"):
        wanted = budget["spec"]["selector"]["matchLabels"].items()
        assert any(wanted <= pod.labels.items() for pod in manifests.pods)
        assert budget["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("case", ALL)
def test_secrets_are_the_releases_own_or_named_in_values(case: str) -> None:
    manifests = rendered(case)
    made = {one["metadata"]["name"]: set(one["data"]) for one in manifests.of("Secret")}
    given = set(_secret_names(_values_of(case)))

    for pod in manifests.pods:
        for reference in _references(pod):
            name, key = reference["name"], reference["key"]
            assert key in made.get(name, ()) or name in given, (pod.component, name, key)


@pytest.mark.parametrize("case", ALL)
def test_no_resource_is_made_for_one_controller(case: str) -> None:
    given = {"cert-manager.io/cluster-issuer"} if case == "ingress" else set()

    for one in _with_templates(rendered(case).objects):
        assert set(one["metadata"].get("annotations", ())) <= OWN_ANNOTATIONS | given


@pytest.mark.parametrize("case", ALL)
def test_every_resource_says_what_it_belongs_to(case: str) -> None:
    for one in rendered(case).objects:
        labels = one["metadata"]["labels"]
        assert one["metadata"]["namespace"] == NAMESPACE
        assert labels["app.kubernetes.io/name"] == "madang"
        assert labels["app.kubernetes.io/version"] == __version__
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_names_stay_within_what_kubernetes_takes() -> None:
    manifests = render({}, release="r" * 53)

    for one in manifests.objects:
        name, short = one["metadata"]["name"], {"StatefulSet", "CronJob"}
        limit = LONGEST_OF_STATEFUL_SET if one["kind"] in short else LONGEST_NAME
        assert len(name) <= limit, name
        assert all(len(value) <= LONGEST_NAME for value in one["metadata"]["labels"].values())


def test_names_of_two_resources_of_a_kind_differ() -> None:
    for case in ALL:
        names = [(one["kind"], one["metadata"]["name"]) for one in rendered(case).objects]
        assert len(names) == len(set(names))


def test_all_images_come_from_values() -> None:
    image = {"registry": "registry.example.com/a", "tag": "7", "pullPolicy": "Always"}
    stores = {name: {"image": {**image, "repository": name}} for name in STORES}

    manifests = render({"image": {**image, "repository": "own"}, **stores})

    used = {one["image"] for pod in manifests.pods for one in pod.containers}
    assert used == {f"registry.example.com/a/{name}:7" for name in ("own", "madang-web", *STORES)}
    assert {one["imagePullPolicy"] for pod in manifests.pods for one in pod.containers} == {
        "Always"
    }


def test_image_is_the_charts_version_without_a_registry() -> None:
    assert rendered("nothing").pod("api").container("api")["image"] == f"madang:{__version__}"


def test_secrets_are_generated_in_their_shape_and_kept() -> None:
    secret = rendered("nothing").one("Secret", "secrets")

    values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    cluster_id = values.pop("kafka-cluster-id")
    assert len(base64.urlsafe_b64decode(f"{cluster_id}==")) == 16
    assert not cluster_id.startswith("-")
    assert set(values) == {
        "secret-key", "mariadb-password", "mariadb-root-password", "redis-password",
    }  # fmt: skip
    assert all(re.fullmatch("[A-Za-z0-9]{40}", value) for value in values.values())
    assert len(set(values.values())) == len(values)
    for one in rendered("nothing").of("Secret"):
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_administrator_has_a_generated_password() -> None:
    secret = rendered("nothing").one("Secret", "admin")

    assert base64.b64decode(secret["data"]["username"]) == b"admin"
    assert re.fullmatch(b"[A-Za-z0-9]{20}", base64.b64decode(secret["data"]["password"]))


def test_existing_secrets_make_every_rendering_the_same() -> None:
    manifests = rendered("existing secrets")

    assert manifests.of("Secret") == []
    assert render(SWITCHES["existing secrets"]).text == manifests.text


def test_jobs_run_again_exactly_when_they_would_do_something_else() -> None:
    first = _jobs(rendered("existing secrets"))
    same = _jobs(render({**SWITCHES["existing secrets"], "web": {"replicas": 5}}))
    image = _jobs(render({**SWITCHES["existing secrets"], "image": {"tag": "2"}}))
    topic = _jobs(render({**SWITCHES["existing secrets"], "kafka": {"partitions": 6}}))

    assert set(first) == {"migrate", "topics", "admin"}
    assert same == first
    assert all(image[name] != first[name] for name in first)
    assert {name for name in first if topic[name] != first[name]} == {"topics"}


def test_another_name_of_the_administrator_makes_one_more() -> None:
    first, other = rendered("nothing"), render({"admin": {"username": "boss"}})

    assert {name for name, job in _jobs(first).items() if _jobs(other)[name] != job} == {"admin"}
    given = {one["name"]: one for one in other.pod("admin").container("admin")["env"]}
    assert given["USERNAME"]["value"] == "boss"


def test_a_new_version_leaves_the_stores_as_they_are(tmp_path: Path) -> None:
    chart = tmp_path / "madang"
    shutil.copytree(tools.CHART, chart)
    description = chart / "Chart.yaml"
    description.write_text(description.read_text().replace(__version__, "9.9.9"))
    values = SWITCHES["existing secrets"]

    now, then = render(values), render(values, chart=chart)

    for store in STORES:
        before, after = now.one("StatefulSet", store), then.one("StatefulSet", store)
        assert before["spec"] == after["spec"], store
    assert now.one("StatefulSet", "api")["spec"] != then.one("StatefulSet", "api")["spec"]


def test_profiles_hold_only_what_differs() -> None:
    defaults = yaml.safe_load((tools.CHART / "values.yaml").read_text())
    for profile in PROFILES:
        values = yaml.safe_load((tools.CHART / "profiles" / f"{profile}.yaml").read_text())
        same = [path for path, value in _leaves(values) if value == _at(defaults, path)]
        assert same == [], profile


def test_stores_outside_leave_nothing_of_theirs_inside() -> None:
    manifests = render(OUTSIDE)

    assert not {pod.component for pod in manifests.pods} & set(STORES)
    assert [one["metadata"]["name"] for one in manifests.of("ServiceAccount")] == [
        "board-processes"
    ]


def test_alerts_are_the_file_with_the_labels_that_values_name() -> None:
    rule = rendered("telemetry").one("PrometheusRule", "alerts")

    assert rule["spec"] == yaml.safe_load((tools.CHART / "files" / "alerts.yaml").read_text())
    assert rule["metadata"]["labels"]["release"] == "example"


def _names(manifests: Manifests, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in manifests.of(kind)}


def _config_maps(pod: Pod) -> Iterator[str]:
    for volume in pod.spec.get("volumes", ()):
        if "configMap" in volume:
            yield volume["configMap"]["name"]


def _references(pod: Pod) -> Iterator[Object]:
    for container in pod.containers:
        for variable in container.get("env", ()):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference


def _values_of(case: str) -> Object:
    return {} if case.startswith("profile ") else SWITCHES[case]


def _secret_names(values: Any) -> Iterator[str]:
    for path, value in _leaves(values):
        if isinstance(value, str) and (path[-1] == "name" or "Secret" in path[-1]):
            yield value


def _with_templates(objects: list[Object]) -> Iterator[Object]:
    for one in objects:
        yield one
        if template := one.get("spec", {}).get("template"):
            yield template


def _jobs(manifests: Manifests) -> dict[str, str]:
    return {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one["metadata"]["name"]
        for one in manifests.of("Job")
    }


def _leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, values


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values
