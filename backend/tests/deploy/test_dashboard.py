"""Grafana's dashboard and data sources: each question is one that its store can answer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from madang.wiring import API, LIVE, RECORD, SHIP
from tests.deploy import tools
from tests.deploy.metrics import exported_names, unknown_in
from tests.deploy.observability import file, own_containers, rendered

pytestmark = pytest.mark.deploy

# What Grafana puts in when it asks.
VARIABLES = {
    "$namespace": ".*",
    "$service": "madang.*",
    "$__rate_interval": "4m",
    "$__range": "1h",
    "$$__tags": 'job="madang-api"',
}


def dashboard() -> Any:
    return json.loads(file("grafana/madang.json").read_text())


def sources() -> dict[str, Any]:
    loaded = yaml.safe_load(file("grafana/datasources.yaml").read_text())
    return {one["uid"]: one for one in loaded["datasources"]}


def panels() -> list[Any]:
    return [one for one in dashboard()["panels"] if one["type"] != "row"]


def expressions(kind: str) -> list[str]:
    return [
        target["expr"]
        for panel in panels()
        for target in panel["targets"]
        if target["datasource"]["type"] == kind
    ]


def questions() -> list[str]:
    """All that Prometheus is asked, by the dashboard and from a trace."""
    traces = sources()["tempo"]["jsonData"]["tracesToMetrics"]["queries"]
    asked = [*expressions("prometheus"), *(one["query"] for one in traces)]
    return [put_in(expression) for expression in asked]


def put_in(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def test_every_data_source_that_is_named_exists() -> None:
    known = {(one["type"], uid) for uid, one in sources().items()}

    named = {(one["type"], one["uid"]) for one in _find(dashboard(), "datasource")}

    assert named == {("prometheus", "prometheus"), ("loki", "loki")}
    assert named <= known
    for uid in _find(list(sources().values()), "datasourceUid"):
        assert uid in sources()


def test_logs_and_traces_lead_to_each_other() -> None:
    (field,) = sources()["loki"]["jsonData"]["derivedFields"]
    tempo = sources()["tempo"]["jsonData"]

    assert (field["matcherType"], field["matcherRegex"]) == ("label", "trace_id")
    assert field["datasourceUid"] == "tempo"
    assert tempo["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert tempo["tracesToMetrics"]["datasourceUid"] == "prometheus"
    assert "serviceMap" not in tempo  # it takes metrics that Tempo would have to make


def test_data_sources_are_where_the_chart_says() -> None:
    container = rendered("nothing").pod("grafana").container("grafana")
    given = {one["name"] for one in container["env"]}

    named = {re.sub(r"[${}]", "", one["url"]) for one in sources().values()}

    assert named == {"LOKI_URL", "TEMPO_URL", "PROMETHEUS_URL"}
    assert named <= given


def test_dashboard_asks_for_metrics_that_the_processes_export() -> None:
    asked = questions()

    assert len(asked) > 15
    for expression in asked:
        assert unknown_in(expression) == set(), expression


def test_a_metric_that_nothing_exports_is_found() -> None:
    assert unknown_in('sum(rate(madang_calls_forgotten_total{job="a"}[5m]))') == {
        "madang_calls_forgotten_total"
    }
    assert unknown_in("sum by (http_route) (madang_record_lost)") == set()


def test_dashboard_shows_requests_errors_latency_and_the_recording_of_calls() -> None:
    asked = " ".join(expressions("prometheus"))

    for name in ("http_server_request_duration_seconds_count", "madang_record_lag_seconds"):
        assert name in exported_names()
        assert name in asked
    for needed in ("0.5", "0.95", "0.99", "backlog", "rejected", 'status_code=~"5.."'):
        assert needed in asked


def test_every_expression_is_one_that_prometheus_understands(tmp_path: Path) -> None:
    rules = [
        {"record": f"question_{number}", "expr": expression}
        for number, expression in enumerate(questions())
    ]
    path = tmp_path / "questions.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    done = tools.run("promtool", "check", "rules", path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_variables_are_those_that_are_made() -> None:
    made = {one["name"] for one in dashboard()["templating"]["list"]}
    text = json.dumps(panels())

    used = {name for name in re.findall(r"\$(\w+)", text) if not name.startswith("__")}

    assert used == made
    services = next(one for one in dashboard()["templating"]["list"] if one["name"] == "service")
    asked = set(services["query"].split(","))
    assert asked == {f"madang-{name}" for name in own_containers()}
    assert asked >= {"madang-web", API, SHIP, RECORD, LIVE}


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells


def _find(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from _find(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _find(value, key)
