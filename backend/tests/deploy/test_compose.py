"""The compose file: valid, resolved as podman-compose resolves it, and in an order that works."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from madang.cli import main
from madang.settings import Settings
from tests.deploy import observability
from tests.deploy.compose import (
    COMPOSE,
    TOOLS,
    Services,
    resolve,
    resolved,
    run,
    script,
)

pytestmark = pytest.mark.deploy

PROCESSES = ("migrate", "topics", "admin", "prune", "ship", "api", "record", "live", "web")
SERVERS = ("mariadb", "redis", "kafka-1", "ship", "api", "record", "live", "web")
HEALTHY, DONE = "service_healthy", "service_completed_successfully"


@pytest.fixture(scope="module")
def services() -> Services:
    return resolved()


@pytest.fixture(scope="module")
def observed() -> Services:
    """All services, with the profile that collects."""
    return resolved("--observability")


def conditions(service: dict[str, Any]) -> dict[str, str]:
    """What a service waits for, and for what state of it."""
    return {name: wait["condition"] for name, wait in service.get("depends_on", {}).items()}


def test_compose_file_fits_the_specification() -> None:
    checked = run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert checked.returncode == 0, checked.stdout


def test_compose_without_passwords_says_how_to_make_them(tmp_path: Path) -> None:
    empty = tmp_path / "env"
    empty.touch()
    told = resolve(empty)
    assert told.returncode != 0
    assert "run deploy/compose/setup.sh first" in told.stdout + told.stderr


def test_each_part_waits_for_what_it_needs(services: Services) -> None:
    waits = {name: conditions(service) for name, service in services.items()}
    assert waits["migrate"] == {"mariadb": HEALTHY}
    assert waits["topics"] == {"kafka-1": HEALTHY}
    assert waits["admin"] == {"migrate": DONE}
    assert waits["prune"] == {"mariadb": HEALTHY, "migrate": DONE}
    assert waits["ship"] == {"topics": DONE, "redis": HEALTHY}
    assert waits["record"] == {"migrate": DONE, "topics": DONE}
    assert waits["live"] == {"migrate": DONE, "redis": HEALTHY}
    assert waits["api"] == {"migrate": DONE, "redis": HEALTHY, "ship": HEALTHY}
    assert waits["web"] == {"api": HEALTHY, "live": HEALTHY, "record": HEALTHY, "admin": DONE}


def test_what_is_waited_for_can_say_that_it_is_there(services: Services) -> None:
    for service in services.values():
        for name, condition in conditions(service).items():
            assert ("healthcheck" in services[name]) == (condition == HEALTHY)
            assert (services[name]["restart"] == "no") == (condition == DONE)
    assert all("healthcheck" in services[name] for name in SERVERS)


def test_no_service_has_rights_that_it_need_not_have(
    observed: Services,
) -> None:
    for name, found in observed.items():
        assert found["cap_drop"] == ["ALL"], name
        assert found["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in found, name
    assert all(observed[name]["read_only"] is True for name in (*PROCESSES, "redis"))


def test_only_the_web_server_is_reachable_and_only_from_this_machine(
    services: Services, observed: Services
) -> None:
    published = {name: found["ports"] for name, found in services.items() if "ports" in found}
    assert published == {"web": ["127.0.0.1:8080:8080"]}
    assert observed["grafana"]["ports"] == ["127.0.0.1:3000:3000"]
    assert {name for name, found in observed.items() if "ports" in found} == {"web", "grafana"}


@pytest.mark.parametrize("name", [name for name in PROCESSES if name != "web"])
def test_commands_are_ones_that_madang_knows(services: Services, name: str) -> None:
    command = services[name]["command"]
    if "entrypoint" in services[name]:
        first, *command = command
        assert first == "madang"
    asked = CliRunner().invoke(main, [*command, "--help"])
    assert asked.exit_code == 0, asked.output


def test_settings_are_ones_that_madang_reads(services: Services) -> None:
    known = {f"MADANG_{name.upper()}" for name in Settings.model_fields}
    known |= {"MADANG_USER_PASSWORD", "MADANG_API_UPSTREAM", "MADANG_LIVE_UPSTREAM"}
    given = {
        variable
        for name in PROCESSES
        for variable in services[name]["environment"]
        if variable.startswith("MADANG_")
    }
    assert given <= known
    assert {"MADANG_DATABASE_URL", "MADANG_SECRET_KEY", "MADANG_SPOOL_DIR"} <= given


def test_api_and_its_shipper_share_one_spool(services: Services) -> None:
    api, ship = services["api"], services["ship"]
    assert api["volumes"] == ship["volumes"] == ["spool:/var/spool/madang"]
    assert api["environment"]["MADANG_SPOOL_DIR"] == ship["environment"]["MADANG_SPOOL_DIR"]


def test_compose_file_holds_no_password() -> None:
    for line in COMPOSE.read_text().splitlines():
        if re.search(r"(PASSWORD|SECRET_KEY|REDISCLI_AUTH|CLUSTER_ID): ", line):
            # Grafana asks for its own when it starts, for it does not always run.
            assert ":?run deploy/compose/setup.sh first}" in line or "${GRAFANA_PASSWORD-}" in line


def test_three_kafka_nodes_make_one_quorum() -> None:
    nodes = {
        name: found["environment"]
        for name, found in resolved("--kafka-nodes", "3").items()
        if name.startswith("kafka-")
    }
    voters = ",".join(f"{found['KAFKA_NODE_ID']}@{name}:9093" for name, found in nodes.items())
    assert len(nodes) == 3
    for name, found in nodes.items():
        assert found["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert found["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{name}:9092"
        assert str(found["KAFKA_DEFAULT_REPLICATION_FACTOR"]) == "3"
        assert str(found["KAFKA_MIN_INSYNC_REPLICAS"]) == "2"


def test_nothing_is_collected_unless_it_is_asked_for(
    services: Services, observed: Services
) -> None:
    assert set(observed) - set(services) == {"collector", "loki", "tempo", "prometheus", "grafana"}
    for found, logs, endpoint in (
        (services, "none", ""),
        (observed, "otlp", "http://collector:4318"),
    ):
        for name in ("api", "ship", "record", "live"):
            assert found[name]["environment"]["OTEL_LOGS_EXPORTER"] == logs
            assert (found[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] or "") == endpoint


def test_collecting_uses_the_images_files_and_arguments_of_the_chart(
    observed: Services,
) -> None:
    manifests = observability.rendered("nothing")
    for name in ("collector", *observability.STORES, "grafana"):
        (container,) = manifests.pod("gateway" if name == "collector" else name).containers
        assert observed[name]["image"] == container["image"]
        assert observed[name].get("command", []) == container.get("args", [])
        for volume in observed[name]["volumes"]:
            source, target, *_ = volume.split(":")
            if source.startswith("."):
                assert (COMPOSE.parent / source).is_file(), source
                assert Path(target).parent.as_posix() in _mounts(container)


def test_grafana_without_a_password_says_where_it_belongs(
    observed: Services,
) -> None:
    refused = subprocess.run(
        script(observed["grafana"]),
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert refused.stdout == "GRAFANA_PASSWORD is not set in deploy/compose/.env\n"


def _mounts(container: Any) -> set[str]:
    """The directories of what is mounted into a container of the chart."""
    return {
        directory
        for mount in container["volumeMounts"]
        for directory in (mount["mountPath"], Path(mount["mountPath"]).parent.as_posix())
    }
