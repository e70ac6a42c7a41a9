"""A spool that is full, and full again: nothing is silent, and with `refuse` nothing is done."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.comparison import assert_whole
from tests.chaos.world import BURST, REDIS_DATABASE, World, running_world
from tests.services.kafka import Kafka
from tests.services.mariadb import MariaDB
from tests.services.redis import Redis
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SMALL_BYTES = 512 * 1024
SMALLEST_LIMIT = 1024 * 1024
SEGMENT_BYTES = 64 * 1024


@contextmanager
def small_spool(directory: Path) -> Iterator[dict[str, str]]:
    """The settings of a spool on a small file system, where we may mount one, else of a small one.

    Segments are small too: one that still grows is not deleted, and would fill it alone.
    """
    directory.mkdir()
    small = {"MADANG_SPOOL_DIR": str(directory), "MADANG_SPOOL_SEGMENT_BYTES": str(SEGMENT_BYTES)}
    options = ["-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False, timeout=10).returncode:
        yield small | {"MADANG_SPOOL_MAX_BYTES": str(SMALLEST_LIMIT)}
        return
    try:
        yield small
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True, timeout=10)


def spool_check(world: World) -> dict[str, str | None]:
    """What readiness says of the spool."""
    with urllib.request.urlopen(f"{world.stack.url}/api/health/ready", timeout=10) as answer:
        found: dict[str, str | None] = json.load(answer)["checks"]["spool"]
    return found


def fill_and_drain(world: World, policy: str) -> None:
    """Nothing is taken out of the spool until it is full and longer, then all of it is."""
    before = turned_away(world, policy)
    with world.ledger.fault():
        world.stack.ship.pause()
        wait_until(lambda: turned_away(world, policy) > before + BURST, 60, "a full spool")
        assert spool_check(world)["status"] == "unavailable"
        world.stack.ship.resume()
    wait_until(lambda: spool_check(world)["status"] == "ok", 30, "room in the spool")
    world.ledger.wait_for_answers(BURST)


def turned_away(world: World, policy: str) -> int:
    """Calls that could not be recorded, or were refused so as not to need it."""
    return world.ledger.unrecorded if policy == "serve" else world.ledger.statuses[503]


@pytest.mark.parametrize("policy", ["serve", "refuse"])
def test_calls_that_a_full_spool_could_not_take_are_counted_and_shown(
    services_directory: Path,
    mariadb_server: MariaDB,
    redis_server: Redis,
    kafka_server: Kafka,
    policy: str,
) -> None:
    redis_server.empty(REDIS_DATABASE)
    with (
        small_spool(services_directory / f"spool-{policy}") as settings,
        running_world(
            services_directory,
            mariadb_server,
            redis_server,
            kafka_server,
            environment={**settings, "MADANG_SPOOL_POLICY": policy},
        ) as world,
    ):
        with world.ledger.clients():
            world.ledger.wait_for_answers(BURST)
            for _ in range(2):
                fill_and_drain(world, policy)
        assert_whole(world.ledger.answered, world.history)
        assert_all_accounted_for(world)
        world.ledger.assert_nobody_waited()
        assert (503 in world.ledger.statuses) == (policy == "refuse")


def assert_all_accounted_for(world: World) -> None:
    """Answered is recorded and counted together, and readiness shows the count."""
    counted = world.ledger.unrecorded
    assert world.ledger.total() == len(set(world.history.ids())) + counted
    assert spool_check(world)["detail"] == (
        f"{counted} calls were answered and not recorded" if counted else None
    )
