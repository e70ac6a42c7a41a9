"""The alert rules: which fire, when, and that each asks for what the processes export."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import tools
from tests.deploy.metrics import unknown_in

pytestmark = pytest.mark.deploy

ALERTS = tools.CHART / "files" / "alerts.yaml"
REQUESTS = 'http_server_request_duration_seconds_count{job="madang-api",instance="api-0"'
BUCKET = 'http_server_request_duration_seconds_bucket{job="madang-api",instance="api-0"'
OLDEST = 'madang_ship_oldest_age_seconds{job="madang-ship",instance="api-0"}'
SENT = 'madang_ship_sent_total{job="madang-ship",instance="api-0"}'
RECORDED = 'madang_record_recorded_total{job="madang-record",instance="record-1"}'
LOST = 'madang_record_lost{instance="record-1"}'
LAG = 'madang_record_lag_messages{job="madang-record",instance="record-1"}'


def of(board: str, series: str) -> str:
    """The series of a board that shares Prometheus with others, by its namespace."""
    return series.replace("{", f'{{k8s_namespace_name="{board}",', 1)


# An alert, the series of minutes that make it fire, those that do not, and when it is asked for.
# `a+bxn` is Prometheus' way to write a series: a, then n times b more; `stale` ends one.
CASES: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    (
        "MadangRequestsFail",
        {
            f'{REQUESTS},http_response_status_code="200"}}': "0+90x40",
            f'{REQUESTS},http_response_status_code="500"}}': "0+10x40",
        },
        {
            f'{REQUESTS},http_response_status_code="200"}}': "0+98x40",
            f'{REQUESTS},http_response_status_code="404"}}': "0+98x40",
            f'{REQUESTS},http_response_status_code="500"}}': "0+2x40",
        },
        "20m",
    ),
    (
        "MadangRequestsSlow",
        {
            f'{BUCKET},le="1"}}': "0+90x40",
            f'{BUCKET},le="2.5"}}': "0+100x40",
            f'{BUCKET},le="+Inf"}}': "0+100x40",
        },
        {f'{BUCKET},le="1"}}': "0+100x40", f'{BUCKET},le="+Inf"}}': "0+100x40"},
        "30m",
    ),
    (
        "MadangCallsUnrecorded",
        {'madang_calls_unrecorded_total{job="madang-api"}': "0x10 1x30"},
        {'madang_calls_unrecorded_total{job="madang-api"}': "1x40"},
        "12m",
    ),
    ("MadangCallsUnsent", {OLDEST: "60+60x40"}, {OLDEST: "0x20 90x3 0x20"}, "25m"),
    (
        "MadangHistoryBehind",
        {LAG: "700x40", RECORDED: "0+60x40"},
        {LAG: "700x40", RECORDED: "0+6000x40"},  # that is what comes in seven seconds
        "20m",
    ),
    (
        "MadangHistoryBehind",
        {LAG: "700x40", RECORDED: "0+60x10 600x30"},  # nothing is written
        {LAG: "700x2 0x40", RECORDED: "0+60x10 600x30"},  # caught up, and nothing came after that
        "20m",
    ),
    (
        "MadangHistoryStopped",
        {SENT: "0+10x40", RECORDED: "0+10x10 100x30"},  # it waits
        {SENT: "0+10x10 100x30", RECORDED: "0+10x10 100x30"},  # nobody calls
        "30m",
    ),
    (
        "MadangHistoryStopped",
        {SENT: "0+10x40", RECORDED: "0+10x10 stale"},  # it is gone
        {SENT: "0+10x40", RECORDED: "0+1x40"},
        "30m",
    ),
    (
        "MadangHistoryStopped",
        {SENT: "0x10 10 20x30", RECORDED: "0x40"},  # somebody came for a minute
        {SENT: "0x10 10 20x30", RECORDED: "0x11 20x30"},
        "19m",
    ),
    (
        "MadangHistoryStopped",
        {of("one", SENT): "0+10x40", of("other", SENT): "0+9x40", of("other", RECORDED): "0+9x40"},
        {of("one", SENT): "0+10x40", of("one", RECORDED): "0+10x40", of("other", SENT): "7x40"},
        "30m",
    ),
    (
        "MadangEventsRejected",
        {'madang_record_rejected_total{job="madang-record"}': "0x10 2x30"},
        {'madang_record_rejected_total{job="madang-record"}': "0x40"},
        "12m",
    ),
    (
        "MadangCallsLost",
        {LOST: "0x20 5x20"},
        {LOST: "5x40"},
        "25m",
    ),
    (
        "MadangCallsLost",
        {of("one", LOST): "1x20 stale _x40 9x10", of("other", LOST): "50x80"},
        {of("one", LOST): "1x20 stale _x40 1x10", of("other", LOST): "50x80"},
        "1h5m",
    ),
    (
        "MadangCallsRefused",
        {'madang_ship_refused{instance="api-0"}': "0x5 1x35"},
        {'madang_ship_refused{instance="api-0"}': "0x40"},
        "10m",
    ),
]


def rules() -> list[dict[str, Any]]:
    return [one for group in yaml.safe_load(ALERTS.read_text())["groups"] for one in group["rules"]]


def test_rules_are_ones_that_prometheus_takes() -> None:
    done = tools.run("promtool", "check", "rules", ALERTS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_ask_for_metrics_that_the_processes_export() -> None:
    for rule in rules():
        assert unknown_in(rule["expr"]) == set(), rule["alert"]


def test_every_rule_is_held_against_series() -> None:
    assert [rule["alert"] for rule in rules()] == list(dict.fromkeys(name for name, *_ in CASES))


@pytest.mark.parametrize(("name", "firing", "quiet", "at"), CASES, ids=[one[0] for one in CASES])
def test_alert_fires_when_it_should_and_only_then(
    name: str, firing: dict[str, str], quiet: dict[str, str], at: str, tmp_path: Path
) -> None:
    fires = _test(tmp_path, name, firing, at, "fires")
    rests = _test(tmp_path, name, quiet, at, "rests")

    assert f"alertname: {name}, time: {at}" in fires, fires
    assert "got:[]" not in fires.replace(" ", "").replace("\n", ""), fires
    assert rests == "SUCCESS", rests


def _test(directory: Path, name: str, series: dict[str, str], at: str, case: str) -> str:
    """What promtool says to the claim that the alert does not fire."""
    path = directory / f"{case}.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(ALERTS)],
                "evaluation_interval": "1m",
                "tests": [
                    {
                        "interval": "1m",
                        "input_series": [
                            {"series": key, "values": value} for key, value in series.items()
                        ],
                        "alert_rule_test": [{"eval_time": at, "alertname": name}],
                    }
                ],
            }
        )
    )
    done = tools.run("promtool", "test", "rules", path)
    return "SUCCESS" if done.returncode == 0 else done.stdout + done.stderr
