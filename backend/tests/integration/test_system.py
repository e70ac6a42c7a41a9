"""The figures are within ten seconds of the truth, whatever is broken."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Producer

from tests.integration.breakable import PASSWORD, World, running_world
from tests.services.stack import Embedded, http_status, madang_command
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

TRUTH_SECONDS = 10
RECOVERY_SECONDS = 60
RESTARTED_SECONDS = 25
"""Kubernetes asks a process every 10 s, waits 5 s, and restarts it after the third failure."""


@pytest.fixture(scope="module")
def whole(services_directory: Path) -> Iterator[World]:
    with running_world(services_directory / f"system-{uuid4().hex[:8]}") as made:
        yield made


@pytest.fixture
def world(whole: World) -> World:
    """The system once everything is well, also after the test before broke something."""
    becomes(whole.is_calm, "a calm system", RECOVERY_SECONDS)
    return whole


def becomes(condition: Callable[[], Any], what: str, seconds: float = TRUTH_SECONDS) -> None:
    wait_until(condition, seconds, what)


def test_every_process_reports_and_both_probes_carry_figures(world: World) -> None:
    world.make_calls()
    state = world.system()
    assert {item["service_name"] for item in state["processes"]} == {
        "madang-api",
        "madang-live",
        "madang-record",
        "madang-ship",
    }
    assert not any(item["silent"] for item in state["processes"])
    assert set(state["dependencies"]) == {"database", "kafka", "redis", "spool"}
    assert state["dependencies"]["database"]["latency_ms"] > 0
    assert "MariaDB" in state["versions"]["database"]
    assert state["versions"]["redis"][0].isdigit()

    becomes(lambda: world.figures("ship")["sent"] >= 20, "the calls sent")
    becomes(lambda: world.figures("record")["recorded"] >= 20, "the calls recorded")
    for name in ("ship", "record"):
        status, health = world.ready(name)
        assert (status, health["status"]) == (200, "ok"), health
        assert health["checks"]["kafka"]["status"] == "ok"
    assert world.figures("ship")["spool_bytes"] > 64
    assert world.figures("ship")["last_acknowledged_at"] <= world.system()["at"]
    assert world.figures("record")["last_recorded_at"] <= world.system()["at"]
    assert world.system()["history"]["last_recorded_at"]
    names = {sent.metric.name for sent in world.otlp.metrics}
    assert {"madang.spool.bytes", "madang.ship.refused", "madang.record.lost"} <= names


def test_brokers_that_are_down_show_as_growing_unsent_bytes_and_age(world: World) -> None:
    world.kafka.kill()
    try:
        world.make_calls()

        def is_told() -> bool:
            status, health = world.ready("ship")
            figures = health["figures"]
            return (
                status == 200
                and health["checks"]["kafka"]["status"] == "unavailable"
                and figures["unsent_bytes"] > 1_000
                and figures["oldest_unsent_seconds"] > 1
            )

        becomes(is_told, "the shipper to say so")
        becomes(lambda: world.ready("record")[0] == 503, "the recorder to be unready")
        becomes(
            lambda: world.system()["dependencies"]["kafka"]["status"] == "unavailable",
            "the API to say so",
        )
        spool = world.system()["spool"]
        assert spool["unsent_bytes"] > 1_000
        assert spool["oldest_unsent_at"] < world.system()["at"]
        assert world.system()["history"]["lag_messages"] is None
        before = world.figures("ship")
        world.make_calls()
        becomes(
            lambda: world.figures("ship")["unsent_bytes"] > before["unsent_bytes"], "more unsent"
        )
        becomes(
            lambda: (
                world.figures("ship")["oldest_unsent_seconds"] > before["oldest_unsent_seconds"] + 1
            ),
            "the oldest to grow older",
        )
        becomes(
            lambda: (world.metric("madang-ship", "madang.ship.oldest.age") or 0) > 1, "the metric"
        )
    finally:
        world.kafka.start()
    becomes(lambda: world.figures("ship")["unsent_bytes"] < 5_000, "the spool", RECOVERY_SECONDS)


def test_recorder_that_was_killed_falls_silent_and_its_lag_is_known_all_the_same(
    world: World,
) -> None:
    world.stack.record.kill()
    try:
        world.make_calls(50)
        becomes(lambda: world.process("record")["silent"], "silence")
        assert world.system()["missing"] == ["madang-record"]
        becomes(lambda: world.system()["history"]["lag_messages"] >= 50, "the lag")
        assert world.system()["history"]["last_recorded_at"] is not None
    finally:
        world.stack.record.start()
    becomes(world.is_calm, "the recorder to catch up", RECOVERY_SECONDS)
    becomes(lambda: world.figures("record")["lag_messages"] < 5, "the recorder to say so")
    becomes(
        lambda: (world.metric("madang-record", "madang.record.lag.messages") or 0) < 5, "the metric"
    )


def test_shipper_that_ended_in_order_is_missing_and_no_longer_listed(world: World) -> None:
    world.stack.ship.stop()
    try:
        becomes(lambda: world.system()["missing"] == ["madang-ship"], "the missing shipper")
        assert world.process("ship") == {}
        world.make_calls()
        assert world.system()["spool"]["unsent_bytes"] > 1_000
    finally:
        world.stack.ship.start()
    becomes(lambda: world.process("ship"), "the shipper's report")


def test_message_that_is_no_event_is_counted_and_listed_with_its_reason(world: World) -> None:
    before = world.system()["history"]["rejected"]
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap})
    producer.produce("api-logs", b'{"schema": 7}')
    assert producer.flush(10) == 0
    becomes(lambda: world.system()["history"]["rejected"] == before + 1, "the count")
    newest = world.system()["history"]["newest_rejected"][0]
    assert newest["reason"]
    assert newest["size_bytes"] == len(b'{"schema": 7}')
    assert "value" not in newest
    becomes(lambda: world.figures("record")["rejected"] >= 1, "the recorder's own count")
    assert world.figures("record")["rejected_total"] == before + 1


def test_redis_that_is_down_costs_no_readiness_and_the_rest_is_still_said(world: World) -> None:
    world.redis.stop()
    try:

        def is_told() -> bool:
            status, health = world.ready("ship")
            return status == 200 and health["checks"]["redis"]["status"] == "unavailable"

        becomes(is_told, "the shipper to say so")
        assert world.ready("record")[0] == 200
        state = world.system()
        assert state["dependencies"]["redis"]["status"] == "unavailable"
        assert state["dependencies"]["kafka"]["status"] == "unknown"
        assert state["processes"] == []
        assert len(state["missing"]) == 4
        assert state["spool"]["total_bytes"] > 64
        assert state["history"]["lag_messages"] is None
        assert state["history"]["rejected_exact"]
    finally:
        world.redis.start()
    becomes(lambda: not world.system()["missing"], "all reports", TRUTH_SECONDS)


def test_database_that_hangs_is_named_by_whoever_needs_it_and_restarts_nobody(
    world: World,
) -> None:
    assert world.mariadb.process is not None
    world.mariadb.process.pause()
    began = datetime.now(UTC)
    try:

        def is_measured_after_ten_seconds(name: str) -> bool:
            at = datetime.fromisoformat(world.ready(name)[1]["measured_at"])
            return at > began + timedelta(seconds=TRUTH_SECONDS)

        for name in ("ship", "record"):
            becomes(partial(is_measured_after_ten_seconds, name), f"{name} to go on measuring", 30)
        for name in ("api", "live", "record"):
            status, health = world.ready(name)
            assert (status, health["checks"]["database"]["status"]) == (503, "unavailable"), name
            assert "watch" not in health["checks"]
        assert world.ready("ship")[0] == 200
        for name, port in world.ports.items():
            assert http_status(port, "/api/health/live") == 200, name
    finally:
        world.mariadb.process.resume()
    becomes(lambda: world.ready("record")[0] == 200, "the recorder to be ready", RECOVERY_SECONDS)


def test_api_is_alive_while_all_clients_wait_for_a_database_that_hangs(world: World) -> None:
    assert world.mariadb.process is not None
    ending, statuses = threading.Event(), []

    def ask() -> None:
        with httpx.Client(base_url=world.stack.url, cookies=world.admin.cookies) as client:
            while not ending.is_set():
                statuses.append(client.get("/api/logs/kafka", timeout=60).status_code)
                ending.wait(0.5)

    def is_alive() -> bool:
        probes = (http_status(world.stack.api_port, "/api/health/live") for _ in range(5))
        return all(status == 200 for status in probes)

    with ThreadPoolExecutor(24) as clients:
        began = time.monotonic()
        world.mariadb.process.pause()
        try:
            asking = [clients.submit(ask) for _ in range(24)]
            becomes(lambda: 503 in statuses, "the first answers", RESTARTED_SECONDS)
            left = RESTARTED_SECONDS - (time.monotonic() - began)
            becomes(is_alive, "the API to answer its probe again", left)
        finally:
            world.mariadb.process.resume()
            becomes(lambda: statuses[-1:] == [200], "the database to be back", RECOVERY_SECONDS)
            ending.set()
    for each in asking:
        each.result()
    assert set(statuses) <= {200, 503}


def test_state_of_the_system_is_for_administrators(world: World) -> None:
    with httpx.Client(base_url=world.stack.url) as client:
        assert client.get("/api/admin/system").status_code == 401
        member = {"username": f"member-{uuid4().hex[:6]}", "password": PASSWORD}
        assert client.post("/api/users", json=member).status_code == 201
        refused = client.get("/api/admin/system")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_question_about_the_system_is_a_recorded_call(world: World) -> None:
    call_id = world.admin.get("/api/admin/system").headers["Madang-Call"]
    becomes(lambda: world.admin.get(f"/api/logs/kafka/{call_id}").is_success, "it in history")


@pytest.mark.parametrize("name", ["ship", "record"])
def test_used_port_is_one_line(world: World, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [madang_command(), name, "--port", port],
            env={
                name: value
                for name, value in world.stack.environment.items()
                if not name.startswith("OTEL_")
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    assert done.returncode == 2
    assert done.stderr.strip() == f"madang: Port {port} on 127.0.0.1 is in use"
    assert done.stdout == ""


def test_embedded_process_says_the_same_of_itself(embedded: Embedded) -> None:
    with httpx.Client(base_url=embedded.url) as client:
        account = {"username": "embedded-admin", "password": PASSWORD}
        assert client.post("/api/users", json=account).json()["user"]["role"] == "admin"

        def is_recorded() -> dict[str, Any] | None:
            state: dict[str, Any] = client.get("/api/admin/system").json()
            is_told = state["history"]["last_recorded_at"] and not state["missing"]
            return state if is_told else None

        state = wait_until(is_recorded, TRUTH_SECONDS, "the recorder's figures")
    (process,) = state["processes"]
    assert process["service_name"] == "madang"
    assert process["figures"]["recorded"] >= 1
    assert process["figures"]["lag_messages"] is None
    assert "SQLite" in state["versions"]["database"]
    assert set(state["dependencies"]) == {"database", "spool"}
    assert state["spool"]["total_bytes"] > 64
