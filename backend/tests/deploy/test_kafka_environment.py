"""What Kafka's own image makes of the environment that the Helm chart gives it."""

import base64
import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.cases import rendered
from tests.deploy.manifests import Manifests
from tests.services import kafka_distribution

pytestmark = pytest.mark.deploy

# The image's start script calls this class before the broker; it is part of Kafka.
_WRAPPER = "kafka.docker.KafkaDockerWrapper"


@pytest.mark.parametrize("case", ["nothing", "profile small"])
def test_image_formats_the_volume_and_writes_all_properties(case: str, tmp_path: Path) -> None:
    given = _environment(rendered(case), tmp_path)
    # The volume over /opt/kafka/config is empty at first.
    folders = [_folder(tmp_path / name) for name in ("default", "mounted", "final")]
    (folders[0] / "server.properties").write_text("never.used=true\n")
    options = ("--default-configs-dir", "--mounted-configs-dir", "--final-configs-dir")
    arguments = [word for pair in zip(options, folders, strict=True) for word in pair]

    done = subprocess.run(
        [*kafka_distribution.java(), _WRAPPER, "setup", *arguments],
        env={"PATH": os.environ["PATH"], **given},
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    written = _properties(folders[2] / "server.properties")
    assert "never.used" not in written
    assert written["process.roles"] == "broker,controller"
    assert written["node.id"] == "0"
    assert written["controller.quorum.voters"].startswith("0@board-kafka-0.board-kafka-nodes.")
    assert _properties(tmp_path / "log" / "meta.properties")["cluster.id"] == given["CLUSTER_ID"]


def test_settings_become_properties_of_their_names(tmp_path: Path) -> None:
    given = _environment(rendered("profile small"), tmp_path)

    assert given["KAFKA_NUM_NETWORK_THREADS"] == "1"
    assert given["KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE"] == "2097152"


def _environment(manifests: Manifests, directory: Path) -> dict[str, str]:
    """As the first node gets it, with its data in `directory`."""
    secret = manifests.one("Secret", "secrets")["data"]
    container = manifests.pod("kafka").container("kafka")
    given = {one["name"]: one.get("value", "") for one in container["env"]}
    given |= {
        "KAFKA_NODE_ID": "0",
        "POD_NAME": "board-kafka-0",
        "CLUSTER_ID": base64.b64decode(secret["kafka-cluster-id"]).decode(),
        "KAFKA_LOG_DIRS": str(directory / "log"),
    }
    return {name: value.replace("$(POD_NAME)", "board-kafka-0") for name, value in given.items()}


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _properties(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if "=" in line]
    return dict(line.split("=", 1) for line in lines)
