"""The deployed files, as the collector and Loki themselves judge them."""

from pathlib import Path

import pytest

from tests.deploy import tools
from tests.deploy.observability import FILES, file, rendered

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("component", ["agent", "gateway"])
def test_collector_finds_the_deployed_files_valid(component: str, tmp_path: Path) -> None:
    (container,) = rendered("nothing").pod(component).containers
    variables = {one["name"]: one["value"] for one in container["env"]}
    arguments = [one.replace("/etc/otelcol", str(FILES)) for one in container["args"]]
    # Where the chart mounts a directory of the node.
    instead = f"--config=yaml:extensions::file_storage::directory: {tmp_path}"

    done = tools.run(
        "otelcol",
        "validate",
        *arguments,
        *([instead] if component == "agent" else []),
        environment=variables,
    )

    assert done.returncode == 0, done.stderr


def test_collector_takes_what_the_chart_adds_for_stores_with_a_password() -> None:
    environment = {
        f"{name}_{kind}": value
        for name in ("LOKI", "TEMPO", "PROMETHEUS")
        for kind, value in (("OTLP", "http://127.0.0.1:1"), ("AUTHORIZATION", "Basic YTpi"))
    }
    (container,) = rendered("stores outside").pod("gateway").containers
    arguments = [one.replace("/etc/otelcol", str(FILES)) for one in container["args"]]

    done = tools.run(
        "otelcol", "print-config", "--mode=unredacted", *arguments, environment=environment
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("value: Basic YTpi") == 3


@pytest.mark.parametrize(("given", "kept"), [({}, "1w"), ({"LOKI_RETENTION": "48h"}, "2d")])
def test_loki_finds_the_deployed_file_valid_and_keeps_logs_for_a_while(
    given: dict[str, str], kept: str
) -> None:
    done = tools.run(
        "loki",
        *("-verify-config", "-print-config-stderr"),
        *(f"-config.file={file('loki.yaml')}", "-config.expand-env=true"),
        environment=given,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n  retention_period: {kept}\n" in done.stderr
