"""The chart that collects: that Kubernetes takes it, what its pods may do, and whom they reach."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.deploy import tools
from tests.deploy.manifests import NAMESPACE, Object, Pod, helm_template, render
from tests.deploy.observability import ALL, FILES, STORES, SWITCHES, own_containers, rendered
from tests.deploy.policies import INTERNET, End, Policies, among, edges, reached
from tests.deploy.restricted import assert_confined, assert_restricted, kinds_of_volumes
from tests.deploy.values import (
    nested,
    paths_of_schema,
    paths_of_values,
)

pytestmark = pytest.mark.deploy

WITH_POLICIES = [case for case in ALL if case != "without what can be switched off"]
EDGES = {
    ("agent", "gateway", 4318),
    ("gateway", "loki", 3100),
    ("gateway", "tempo", 4318),
    ("gateway", "prometheus", 9090),
    ("grafana", "loki", 3100),
    ("grafana", "tempo", 3200),
    ("grafana", "prometheus", 9090),
}
APPLICATION = End({"app.kubernetes.io/name": "madang"}, namespace="madang")
STRANGER = End({"app.kubernetes.io/name": "madang"}, namespace="elsewhere")


def test_chart_passes_helms_own_strict_checks() -> None:
    done = tools.run("helm", "lint", "--strict", "--quiet", tools.OBSERVABILITY)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rendering_fits_kubernetes_schemas(tmp_path: Path) -> None:
    for number, case in enumerate(ALL):
        (tmp_path / f"{number}.yaml").write_text(rendered(case).text)

    done = tools.kubeconform(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


@pytest.mark.parametrize("case", ALL)
def test_every_pod_but_the_agents_is_restricted(case: str) -> None:
    for pod in rendered(case).pods:
        if pod.component != "agent":
            assert_restricted(pod)


def test_agent_is_root_without_rights_and_writes_only_its_notes() -> None:
    agent = rendered("nothing").pod("agent")
    assert_confined(agent)
    assert agent.owner["kind"] == "DaemonSet"
    assert set(kinds_of_volumes(agent)) == {"configMap", "hostPath"}
    paths = {
        one["name"]: one["hostPath"]["path"] for one in agent.spec["volumes"] if "hostPath" in one
    }
    assert paths == {"logs": "/var/log/pods", "state": "/var/lib/madang-observability"}
    writable = {
        mount["name"]
        for mount in agent.container("agent")["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert writable == {"state"}


@pytest.mark.parametrize("case", ALL)
def test_no_pod_has_a_token_and_nobody_has_a_role(case: str) -> None:
    manifests = rendered(case)

    for pod in manifests.pods:
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
    assert not [one for one in manifests.objects if one["kind"].endswith(("Role", "RoleBinding"))]


@pytest.mark.parametrize("case", ALL)
def test_no_pod_goes_to_a_node_of_another_system(case: str) -> None:
    given = {"kubernetes.io/arch": "amd64"} if case == "everything set" else {}

    for pod in rendered(case).pods:
        chosen = {} if pod.component == "agent" else given
        assert pod.spec["nodeSelector"] == {"kubernetes.io/os": "linux", **chosen}


@pytest.mark.parametrize("case", ALL)
def test_every_container_has_probes_and_says_what_it_needs(case: str) -> None:
    for pod in rendered(case).pods:
        for container in pod.containers:
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("case", ALL)
def test_what_is_referred_to_is_there(case: str) -> None:
    manifests = rendered(case)
    names = {(one["kind"], one["metadata"]["name"]) for one in manifests.objects}
    given = set(re.findall(r"(?:mine|\w+-access)", yaml.safe_dump(dict(SWITCHES[case]))))

    for pod in manifests.pods:
        claims = pod.owner["spec"].get("volumeClaimTemplates", ())
        volumes = {one["name"] for one in pod.spec["volumes"]}
        volumes |= {one["metadata"]["name"] for one in claims}
        assert volumes == {mount["name"] for one in pod.containers for mount in one["volumeMounts"]}
        assert ("ServiceAccount", pod.spec["serviceAccountName"]) in names
        for volume in pod.spec["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
        for name in _secrets(pod):
            assert ("Secret", name) in names or name in given, name
    for service in manifests.of("Service"):
        spec = service["spec"]
        (pod,) = [one for one in manifests.pods if spec["selector"].items() <= one.labels.items()]
        known = {port["name"] for one in pod.containers for port in one["ports"]}
        assert {port["targetPort"] for port in spec["ports"]} <= known


@pytest.mark.parametrize("case", ALL)
def test_every_address_leads_to_a_service_of_the_release(case: str) -> None:
    manifests = rendered(case)
    reached = {
        f"{one['metadata']['name']}:{port['port']}"
        for one in manifests.of("Service")
        for port in one["spec"]["ports"]
    }

    for pod in manifests.pods:
        for name, value in _plain(pod).items():
            if name.endswith(("_OTLP", "_URL")) and not value.startswith("https://"):
                assert value.removeprefix("http://").partition("/")[0] in reached, (name, value)


def test_configuration_is_the_files_that_compose_uses_too() -> None:
    manifests = rendered("nothing")

    for name in ("agent", "gateway", *STORES):
        data = manifests.one("ConfigMap", name)["data"]
        for file, text in data.items():
            assert text.strip() == (FILES / file).read_text().strip(), file
            mounted = _mounted(manifests.pod(name))
            assert f"{mounted}/{name}.yaml" in " ".join(_arguments(manifests.pod(name)))


def test_retention_is_the_charts_where_nothing_says_how_long() -> None:
    values = yaml.safe_load((tools.OBSERVABILITY / "values.yaml").read_text())

    for name in ("loki", "tempo"):
        # As both programs read it: without the dash it would be an offset, not a default.
        given = re.findall(r"\$\{(.+?)\}", (FILES / f"{name}.yaml").read_text())
        assert given == [f"{name.upper()}_RETENTION:-{values[name]['retention']}"]


def test_alerts_are_those_of_the_applications_chart() -> None:
    own = tools.CHART / "files" / "alerts.yaml"

    assert rendered("nothing").one("ConfigMap", "prometheus")["data"]["alerts.yaml"].strip() == (
        own.read_text().strip()
    )


def test_agent_reads_the_chosen_namespaces_alone() -> None:
    def files(case: str) -> list[str]:
        read: list[str] = yaml.safe_load(_plain(rendered(case).pod("agent"))["LOG_FILES"])
        return read

    assert files("nothing") == [
        "/var/log/pods/madang_*/*/*.log",
        "/var/log/pods/madang_*/*/*.log.*",
    ]
    assert [path for path in files("everything set") if path.endswith(".log")] == [
        "/srv/log/pods/boards_*/*/*.log",
        "/srv/log/pods/other_*/*/*.log",
    ]


def test_agent_knows_the_containers_of_the_board_and_no_store() -> None:
    board = render({}).pods + render({}, profile="small").pods

    names = {
        (one["name"], one["image"].startswith("madang"))
        for pod in board
        for one in pod.containers
        if pod.component != "test"
    }

    assert {name for name, ours in names if ours} == own_containers()
    assert not {name for name, ours in names if not ours} & own_containers()


def test_a_changed_file_makes_new_pods() -> None:
    for pod in rendered("nothing").pods:
        template = pod.owner["spec"]["template"]
        assert len(template["metadata"]["annotations"]["madang/configuration"]) == 8


def test_stores_outside_get_what_their_secrets_hold() -> None:
    manifests = rendered("stores outside")
    gateway = manifests.pod("gateway")

    assert {pod.component for pod in manifests.pods} == {"agent", "gateway", "grafana"}
    assert manifests.of("StatefulSet") == []
    for name in STORES:
        assert (
            f"--config=yaml:exporters::otlp_http/{name}::headers::Authorization: "
            f"${{env:{name.upper()}_AUTHORIZATION}}"
        ) in _arguments(gateway)
    for component in ("gateway", "grafana"):
        assert set(_secrets(manifests.pod(component))) >= {f"{name}-access" for name in STORES}
    sources = manifests.one("ConfigMap", "grafana")["data"]["datasources.yaml"]
    for source in yaml.safe_load(sources)["datasources"]:
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
        value = source["secureJsonData"]["httpHeaderValue1"]
        assert value == f"${{{source['uid'].upper()}_AUTHORIZATION}}"


def test_grafanas_password_is_generated_once_or_given() -> None:
    secret = rendered("nothing").one("Secret", "grafana")

    assert re.fullmatch(b"[A-Za-z0-9]{20}", base64.b64decode(secret["data"]["password"]))
    assert rendered("everything set").of("Secret") == []
    template = (tools.OBSERVABILITY / "templates" / "grafana" / "secret.yaml").read_text()
    assert 'get $kept "password"' in template


def test_names_stay_within_what_kubernetes_takes() -> None:
    for one in render({}, release="r" * 53, chart=tools.OBSERVABILITY).objects:
        longest = 52 if one["kind"] == "StatefulSet" else 63
        assert len(one["metadata"]["name"]) <= longest
        assert one["metadata"]["namespace"] == NAMESPACE


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_the_named_edges_are_allowed_and_no_other(case: str) -> None:
    manifests = rendered(case)

    assert edges(manifests) == among(manifests, EDGES)


@pytest.mark.parametrize("case", WITH_POLICIES)
def test_applications_reach_the_gateway_and_nobody_else_reaches_anything(case: str) -> None:
    manifests = rendered(case)

    own = {("gateway", 4317), ("gateway", 4318)}
    assert reached(manifests, APPLICATION) == (set() if case == "everything set" else own)
    assert reached(manifests, STRANGER) == reached(manifests, INTERNET) == set()


def test_grafana_is_open_to_whom_values_name() -> None:
    manifests = rendered("everything set")
    grafana = End.of(manifests.pod("grafana"))

    assert Policies(manifests).allow(End({}, namespace="proxy"), grafana, 3000)


def test_stores_outside_are_reached_by_gateway_and_grafana_alone() -> None:
    manifests = rendered("stores outside")
    store = End({}, address="10.20.0.7")

    reaching = {
        pod.component
        for pod in manifests.pods
        if Policies(manifests).allow(End.of(pod), store, 443)
    }

    assert reaching == {"gateway", "grafana"}


def test_the_versions_that_are_deployed_are_those_that_are_tested() -> None:
    script = (tools.ROOT / "scripts" / "setup-kube.sh").read_text()
    built = yaml.safe_load((tools.ROOT / "scripts" / "collector.yaml").read_text())
    tags = {
        name: rendered("nothing").pod(name).container(name)["image"].rpartition(":")[2]
        for name in ("agent", "gateway", "loki", "prometheus")
    }
    _, major, minor, patch = re.split(r"[v.]", tags["prometheus"])

    assert tags["agent"] == tags["gateway"] == built["dist"]["version"]
    assert f"cmd/builder@v{tags['agent']}" in script
    for kind in ("receivers", "processors", "exporters", "extensions"):
        assert all(one["gomod"].endswith(f" v{tags['agent']}") for one in built[kind])
    assert f"grafana/loki/v3@v{tags['loki']}\n" in script
    # As Prometheus numbers its module: 3.16.0 is 0.316.0.
    assert f"prometheus/prometheus@v0.{major}{minor:0>2}.{patch}\n" in script


RULES: list[tuple[Object, str]] = [
    ({"loki.enabled": False}, "loki.enabled is false, so loki.external.otlp must say where to"),
    ({"tempo.enabled": False}, "tempo.external.url must say where Grafana asks, or grafana"),
    (
        {"prometheus.external.otlp": "https://example.com"},
        "prometheus.external is set, so prometheus.enabled must be false",
    ),
    (
        {**SWITCHES["collector alone"], "networkPolicy.egress": []},
        "networkPolicy.egress must say where loki, tempo, prometheus can be reached outside",
    ),
]
VALUES: list[tuple[str, object, str]] = [
    ("replicas", 3, "additional properties 'replicas' not allowed"),
    ("loki.replicas", 3, "at '/loki': additional properties 'replicas' not allowed"),
    ("namespaces", [], "at '/namespaces': minItems: got 0, want 1"),
    ("namespaces", ["a_b"], "'a_b' does not match pattern"),
    ("loki.external.otlp", "loki:3100", "'loki:3100' does not match pattern"),
    ("loki.retention", "7 days", "at '/loki/retention': '7 days' does not match pattern"),
    ("prometheus.retention", "lots", "at '/prometheus/retention': 'lots' does not match"),
    ("tempo.persistence.size", "10GB", "'10GB' does not match pattern"),
    ("collector.image.tag", "", "at '/collector/image/tag': '' does not match pattern"),
    ("agent.logDirectory", "var/log", "at '/agent/logDirectory': 'var/log' does not match"),
    ("loki.resources.limits.memory", "lots", "at '/loki/resources/limits/memory': 'lots' does not"),
    ("agent.resources.requests", None, "at '/agent/resources': missing property 'requests'"),
    ("gateway.replicas", 0, "at '/gateway/replicas': minimum: got 0, want 1"),
    ("grafana.existingSecret", "A B", "at '/grafana/existingSecret': 'A B' does not match"),
    ("networkPolicy.egress", [{"ports": [443]}], "minProperties: got 1, want 2"),
]


@pytest.mark.parametrize(("values", "words"), RULES, ids=[words for _, words in RULES])
def test_rule_is_told_in_its_own_words(values: Object, words: str) -> None:
    done = helm_template(nested(values), chart=tools.OBSERVABILITY)

    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(
    ("path", "value", "words"), VALUES, ids=[f"{path} {value}" for path, value, _ in VALUES]
)
def test_wrong_value_is_told_with_its_place(path: str, value: object, words: str) -> None:
    done = helm_template(nested({path: value}), chart=tools.OBSERVABILITY)

    assert done.returncode != 0
    assert words in done.stderr


def test_schema_knows_every_value_and_nothing_more() -> None:
    assert paths_of_values(tools.OBSERVABILITY) == (
        paths_of_schema(tools.OBSERVABILITY) - {"/global"}
    )


def _plain(pod: Pod) -> dict[str, str]:
    return {
        one["name"]: one["value"]
        for container in pod.containers
        for one in container.get("env", ())
        if "value" in one
    }


def _secrets(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        for one in container.get("env", ()):
            if reference := one.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"]


def _arguments(pod: Pod) -> list[str]:
    return [argument for one in pod.containers for argument in one.get("args", ())]


def _mounted(pod: Pod) -> str:
    (container,) = pod.containers
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    return str(mounts["configuration"])
