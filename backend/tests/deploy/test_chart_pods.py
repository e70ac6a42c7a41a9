"""The pods of the Helm chart: what they may do, when they start and stop, what they need."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from madang.calls.shipper import DRAIN_SECONDS
from madang.cli import main
from madang.http.server import WORKER_GRACE_SECONDS
from madang.settings import Settings
from tests.deploy import tools
from tests.deploy.cases import ALL, rendered
from tests.deploy.manifests import Object, Pod
from tests.deploy.restricted import assert_restricted
from tests.services.nginx import TEMPLATE

pytestmark = pytest.mark.deploy

PROCESSES = ("web", "api", "live", "record")
STORES = ("mariadb", "redis", "kafka")
TELEMETRY_SECONDS = 5.0

MEBIBYTE = 1024 * 1024
_UNITS = {"Ki": 1024, "Mi": MEBIBYTE, "Gi": 1024 * MEBIBYTE}


@pytest.mark.parametrize("case", ALL)
def test_every_pod_is_restricted(case: str) -> None:
    for pod in rendered(case).pods:
        assert_restricted(pod)


@pytest.mark.parametrize("case", ALL)
def test_no_pod_has_a_token_or_variables_of_services(case: str) -> None:
    manifests = rendered(case)

    for pod in manifests.pods:
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
    for account in manifests.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("case", ALL)
def test_no_pod_goes_to_a_node_of_another_system(case: str) -> None:
    given = {"kubernetes.io/arch": "amd64"} if case == "everything small" else {}

    for pod in rendered(case).pods:
        assert pod.spec["nodeSelector"] == {"kubernetes.io/os": "linux", **given}


def test_pods_run_as_the_users_of_their_images() -> None:
    wanted = {"web": 101, "mariadb": 999, "redis": 999, "kafka": 1000}

    for pod in rendered("nothing").pods:
        uid = wanted.get(pod.component, 10001)
        security = pod.spec["securityContext"]
        assert {security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {uid}


@pytest.mark.parametrize("case", ALL)
def test_what_serves_has_probes(case: str) -> None:
    for pod in rendered(case).pods:
        if pod.component not in PROCESSES + STORES:
            continue
        for container in _running(pod):
            wanted = {"startupProbe", "livenessProbe", "readinessProbe"}
            if container["name"] == "ship":  # the API serves on without it
                wanted -= {"readinessProbe"}
            assert {key for key in container if key.endswith("Probe")} == wanted, container["name"]


def test_liveness_asks_for_nothing_that_stands_behind() -> None:
    for component in ("api", "live", "record"):
        for container in _running(rendered("nothing").pod(component)):
            for probe in ("startupProbe", "livenessProbe"):
                assert container[probe]["httpGet"]["path"] == "/api/health/live"


def test_liveness_starts_no_program_which_a_busy_node_keeps_waiting() -> None:
    for pod in rendered("nothing").pods:
        for container in pod.spec["containers"]:
            assert "exec" not in container.get("livenessProbe", {}), container["name"]


def test_readiness_behind_a_service_asks_for_nothing_that_all_pods_share() -> None:
    manifests = rendered("nothing")
    behind = {
        one["spec"]["selector"]["app.kubernetes.io/component"] for one in manifests.of("Service")
    }

    for component in ("api", "live", "record"):
        probe = manifests.pod(component).container(component)["readinessProbe"]
        wanted = "live" if component in behind else "ready"
        assert probe["httpGet"]["path"] == f"/api/health/{wanted}", component
    assert behind & {"api", "live", "record"} == {"api", "live"}


@pytest.mark.parametrize("case", ALL)
def test_processes_wait_for_the_schema_and_never_for_a_hook(case: str) -> None:
    manifests = rendered(case)

    there = {pod.component for pod in manifests.pods}
    for component in sorted({"api", "live", "record", "prune"} & there):
        first = manifests.pod(component).spec["initContainers"][0]
        assert first["args"] == ["madang", "migrate", "--check"]
    hooks = {
        one["metadata"]["name"]
        for one in manifests.objects
        if "helm.sh/hook" in one["metadata"].get("annotations", ())
    }
    assert {name.rpartition("-")[2] for name in hooks} == {"test"}


def test_waiting_goes_on_until_the_answer_and_ends_at_a_wrong_setting(tmp_path: Path) -> None:
    wait = rendered("nothing").pod("record").container("wait-for-schema")
    for name, script in (
        ("sleep", "exit 0"),
        ("third", f'echo x >>{tmp_path}/asked; [ "$(wc -l <{tmp_path}/asked)" = 3 ]'),
        ("wrong", "exit 2"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    third = subprocess.run([*wait["command"], "third"], env=environment, timeout=20, check=False)
    wrong = subprocess.run([*wait["command"], "wrong"], env=environment, timeout=20, check=False)

    assert third.returncode == 0
    assert (tmp_path / "asked").read_text() == "x\n" * 3
    assert wrong.returncode == 2


@pytest.mark.parametrize("case", ["profile small", "nothing"])
def test_ship_starts_before_the_api_and_shares_its_spool(case: str) -> None:
    pod = rendered(case).pod("api")
    ship, api = pod.container("ship"), pod.container("api")

    assert [one["name"] for one in pod.spec["initContainers"]] == ["wait-for-schema", "ship"]
    assert ship["restartPolicy"] == "Always"
    spool = {"name": "spool", "mountPath": "/var/spool/madang"}
    assert spool in ship["volumeMounts"]
    assert spool in api["volumeMounts"]
    assert _plain(ship)["MADANG_SPOOL_DIR"] == _plain(api)["MADANG_SPOOL_DIR"]


def test_stop_gives_the_api_and_then_ship_the_time_that_they_take() -> None:
    pod = rendered("nothing").pod("api")

    leaving = pod.container("api")["lifecycle"]["preStop"]["sleep"]["seconds"]
    api = WORKER_GRACE_SECONDS + TELEMETRY_SECONDS
    ship = DRAIN_SECONDS + TELEMETRY_SECONDS
    assert leaving == 5
    assert pod.spec["terminationGracePeriodSeconds"] > leaving + api + ship
    for component in ("web", "live"):
        container = rendered("nothing").pod(component).container(component)
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] == 5


def test_no_kept_connection_of_nginx_outlasts_the_wait_of_a_leaving_api_pod() -> None:
    leaving = rendered("nothing").pod("api").container("api")["lifecycle"]["preStop"]
    upstream = re.search(r"upstream madang_api \{.*?\n    \}", TEMPLATE.read_text(), re.DOTALL)
    assert upstream
    kept = dict(re.findall(r"(keepalive_time|keepalive_timeout) (\d+)s;", upstream[0]))

    assert kept.keys() == {"keepalive_time", "keepalive_timeout"}
    assert sum(map(int, kept.values())) < leaving["sleep"]["seconds"]


@pytest.mark.parametrize("component", ["web", "live", "record"])
def test_rolling_update_takes_no_pod_away_first(component: str) -> None:
    strategy = rendered("nothing").one("Deployment", component)["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_spool_with_a_volume_is_kept_by_a_stateful_set() -> None:
    spec = rendered("nothing").one("StatefulSet", "api")["spec"]

    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    assert spec["replicas"] >= 2
    assert rendered("nothing").of("Deployment") != []
    assert "board-api" not in {
        one["metadata"]["name"] for one in rendered("nothing").of("Deployment")
    }


def test_spool_without_a_volume_has_room_above_its_bound() -> None:
    pod = rendered("profile small").pod("api")
    spool = next(one for one in pod.spec["volumes"] if one["name"] == "spool")

    bound = int(_plain(pod.container("api"))["MADANG_SPOOL_MAX_BYTES"])
    assert bound == 128 * MEBIBYTE
    assert _bytes(spool["emptyDir"]["sizeLimit"]) > bound


@pytest.mark.parametrize("case", ALL)
def test_commands_and_settings_are_ones_that_madang_takes(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {f"MADANG_{name.upper()}" for name in Settings.model_fields}
    known |= {"MADANG_USER_PASSWORD"}
    for name in [name for name in os.environ if name.startswith("MADANG_")]:
        monkeypatch.delenv(name)
    for pod in rendered(case).pods:
        for container in _of_madang(pod):
            arguments = [one for one in container["args"] if one != "madang"]
            command = main.get_command(main.make_context("madang", arguments), arguments[0])
            assert command is not None
            command.make_context(arguments[0], list(arguments[1:]), resilient_parsing=False).close()
            settings = {
                name: value for name, value in _plain(container).items() if "MADANG_" in name
            }
            assert set(settings) <= known
            with monkeypatch.context() as environment:
                for name, value in settings.items():
                    environment.setenv(name, value)
                Settings.load()


def test_web_sets_variables_that_its_template_reads() -> None:
    template = (tools.ROOT / "deploy/images/web/nginx.conf.template").read_text()

    given = _plain(rendered("nothing").pod("web").container("web"))

    assert set(given) <= set(re.findall(r"\$\{(MADANG_\w+)\}", template))
    assert given["MADANG_API_UPSTREAM"] == "board-api:5000"
    assert given["MADANG_LIVE_UPSTREAM"] == "board-live:5001"


def test_kafka_nodes_know_each_other_by_names_that_exist_early() -> None:
    manifests = rendered("nothing")
    given = _plain(manifests.pod("kafka").container("kafka"))
    spec = manifests.one("StatefulSet", "kafka")["spec"]
    nodes = manifests.one("Service", "kafka-nodes")["spec"]

    assert given["KAFKA_CONTROLLER_QUORUM_VOTERS"] == ",".join(
        f"{node}@board-kafka-{node}.board-kafka-nodes.boards.svc:9093" for node in range(3)
    )
    assert given["KAFKA_ADVERTISED_LISTENERS"] == (
        "PLAINTEXT://$(POD_NAME).board-kafka-nodes.boards.svc:9092"
    )
    assert (spec["serviceName"], spec["podManagementPolicy"]) == ("board-kafka-nodes", "Parallel")
    assert nodes["publishNotReadyAddresses"] is True
    assert nodes["clusterIP"] == "None"


@pytest.mark.parametrize(
    ("case", "copies", "in_sync"), [("nothing", 3, 2), ("profile small", 1, 1)]
)
def test_topics_have_as_many_copies_as_there_are_nodes(
    case: str, copies: int, in_sync: int
) -> None:
    manifests = rendered(case)
    broker = _plain(manifests.pod("kafka").container("kafka"))
    job = _plain(manifests.pod("topics").container("topics"))

    assert job["MADANG_KAFKA_REPLICATION"] == str(copies)
    assert broker["KAFKA_DEFAULT_REPLICATION_FACTOR"] == str(copies)
    assert broker["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"] == str(copies)
    assert broker["KAFKA_MIN_INSYNC_REPLICAS"] == str(in_sync)


def test_brokers_outside_are_reached_as_values_say() -> None:
    for component, name in (("api", "ship"), ("record", "record"), ("topics", "topics")):
        container = rendered("stores outside").pod(component).container(name)
        given = _plain(container)
        assert given["MADANG_KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
        assert given["MADANG_KAFKA_SASL_MECHANISM"] == "PLAIN"
        assert given["MADANG_KAFKA_COMPRESSION"] == "none"
        assert {"MADANG_KAFKA_SASL_USERNAME", "MADANG_KAFKA_SASL_PASSWORD"} <= set(given)
        folder = given["MADANG_KAFKA_SSL_CA"].rpartition("/")[0]
        assert folder in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_whatever_asks_a_store_outside_has_the_authority_that_its_address_names() -> None:
    asked = {"MADANG_DATABASE_URL": "mariadb", "MADANG_REDIS_URL": "redis"}

    for pod in rendered("stores outside with authorities of their own").pods:
        files = {one["name"]: one["secret"] for one in pod.spec["volumes"] if "secret" in one}
        for container in _of_madang(pod):
            mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
            for variable in asked.keys() & _plain(container).keys():
                name = f"{asked[variable]}-ca"
                assert mounts[name] == f"/etc/madang/{name}", (pod.component, container["name"])
                assert files[name]["secretName"] == f"board-{name}"


def test_telemetry_is_off_until_it_has_a_destination() -> None:
    for case, wanted in (("nothing", None), ("telemetry", "http://collector.observability:4318")):
        for component in ("api", "live", "record"):
            for container in _running(rendered(case).pod(component)):
                given = _plain(container)
                assert given.get("OTEL_EXPORTER_OTLP_ENDPOINT") == wanted
                assert given["OTEL_LOGS_EXPORTER"] == "none"


@pytest.mark.parametrize("case", ALL)
def test_every_container_says_what_it_needs(case: str) -> None:
    for pod in rendered(case).pods:
        for container in pod.containers:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}
            assert _bytes(resources["limits"]["memory"]) >= _bytes(resources["requests"]["memory"])


def test_small_profile_fits_a_small_node() -> None:
    pods = [pod for pod in rendered("profile small").pods if pod.component != "test"]

    memory = sum(pod.count * _requested(pod, "memory") for pod in pods)
    cpu = sum(pod.count * _requested(pod, "cpu") for pod in pods)

    assert memory <= 1.5 * 1024 * MEBIBYTE, memory / MEBIBYTE
    assert cpu <= 1.0


def _requested(pod: Pod, resource: str) -> float:
    """What the scheduler reserves: all that run together, or an init container if that is more."""
    sidecars, peak = 0.0, 0.0
    for container in pod.spec.get("initContainers", ()):
        amount = _amount(container["resources"]["requests"][resource])
        if container.get("restartPolicy") == "Always":
            sidecars += amount
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + amount)
    running = sum(_amount(one["resources"]["requests"][resource]) for one in pod.spec["containers"])
    return max(peak, sidecars + running)


def _amount(quantity: str) -> float:
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(_bytes(quantity))


def _bytes(quantity: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", quantity).groups()  # type: ignore[union-attr]  # else it fails
    return int(number) * _UNITS.get(unit, 1)


def _running(pod: Pod) -> Iterator[Object]:
    yield from pod.spec["containers"]
    for container in pod.spec.get("initContainers", ()):
        if container.get("restartPolicy") == "Always":
            yield container


def _of_madang(pod: Pod) -> Iterator[Object]:
    if pod.component in {*STORES, "web", "test"}:
        return
    yield from pod.containers


def _plain(container: Object) -> Mapping[str, str]:
    """The variables of a container; something that fits for those that come from elsewhere."""
    return {
        one["name"]: one.get("value", "scheme://host" if "URL" in one["name"] else "x" * 40)
        for one in container["env"]
    }
