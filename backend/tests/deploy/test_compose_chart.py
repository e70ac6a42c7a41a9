"""What compose and the chart must have in common, though each says it in its own way."""

import os
import signal
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import tools
from tests.deploy.compose import resolved, script
from tests.deploy.manifests import Manifests, render
from tests.deploy.values import nested
from tests.services.waiting import wait_until

pytestmark = pytest.mark.deploy

# Compose is for one machine: only how much the stores may take differs.
SIZES = {"kafka.nodes": 1, "kafka.heap": "256m", "mariadb.bufferPool": "128M"}
REDIS_MEMORY = "64mb"
# What names a node, and what the chart says because its root file system is read-only.
OWN_KAFKA = {
    "CLUSTER_ID", "KAFKA_NODE_ID", "KAFKA_CONTROLLER_QUORUM_VOTERS", "KAFKA_ADVERTISED_LISTENERS",
    "POD_NAME", "EXTRA_ARGS", "LOG_DIR",
}  # fmt: skip
SERVICES = {"mariadb": "mariadb", "redis": "redis", "kafka": "kafka-1"}


@cache
def chart() -> Manifests:
    return render(nested({**SIZES, "redis.maxMemory": REDIS_MEMORY}))


@pytest.mark.parametrize("name", SERVICES)
def test_stores_have_the_charts_image_and_user(name: str) -> None:
    pod, service = chart().pod(name), resolved()[SERVICES[name]]
    context = pod.spec["securityContext"]

    assert service["image"] == pod.container(name)["image"]
    assert service["user"] == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_mariadb_has_the_charts_options() -> None:
    (text,) = chart().one("ConfigMap", "mariadb")["data"].values()
    wanted = dict(line.split(" = ") for line in text.splitlines() if " = " in line)
    assert wanted.pop("tmpdir") == "/tmp", "where it is without this, too"

    given = dict(
        option.removeprefix("--").partition("=")[::2] for option in resolved()["mariadb"]["command"]
    )

    assert {name: value or "ON" for name, value in given.items()} == wanted


def test_redis_has_the_charts_options() -> None:
    text = chart().one("ConfigMap", "redis")["data"]["redis.conf"]
    wanted = {line for line in text.splitlines() if not line.startswith(("#", "dir "))}

    given = resolved()["redis"]["command"][2].replace("$$", "$").splitlines()

    assert set(given[2:-1]) == wanted
    assert given[1] == "requirepass $REDISCLI_AUTH"


def test_kafka_has_the_charts_properties() -> None:
    container = chart().pod("kafka").container("kafka")
    wanted = {one["name"]: one.get("value") for one in container["env"]}

    given = resolved()["kafka-1"]["environment"]

    assert {name: str(value) for name, value in given.items() if name not in OWN_KAFKA} == {
        name: value for name, value in wanted.items() if name not in OWN_KAFKA
    }


def test_topics_are_tried_as_the_chart_tries_them() -> None:
    wanted = chart().pod("topics").container("topics")

    assert script(resolved()["topics"]) == wanted["command"]
    assert resolved()["topics"]["command"] == wanted["args"]


def test_calls_are_kept_as_long_as_in_the_chart() -> None:
    values: Any = yaml.safe_load((tools.CHART / "values.yaml").read_text())

    assert resolved()["prune"]["command"][1:] == ["prune", f"--keep={values['prune']['keep']}"]


@pytest.mark.parametrize(("name", "code"), [("topics", 2), ("prune", 2), ("prune", 1)])
def test_what_fails_for_good_ends(name: str, code: int) -> None:
    failing = ["sh", "-c", f"exit {code}"]

    done = subprocess.run([*script(resolved()[name]), *failing], check=False, timeout=10)

    assert done.returncode == code


def test_prune_waits_for_the_next_day_and_hears_a_signal(tmp_path: Path) -> None:
    done = tmp_path / "done"
    waiting = subprocess.Popen(
        [*script(resolved()["prune"]), "sh", "-c", f"echo once >> {done}"], start_new_session=True
    )
    try:
        wait_until(lambda: done.exists() and done.read_text(), 10, "the first time")
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=10) == 143
        assert done.read_text() == "once\n"
    finally:
        # In a container what it waits for ends with the shell.
        with suppress(ProcessLookupError):
            os.killpg(waiting.pid, signal.SIGKILL)
