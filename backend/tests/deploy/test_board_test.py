"""What `helm test` runs, against the whole system."""

import subprocess
import sys

import pytest

from tests.deploy import tools
from tests.services.ports import free_port
from tests.services.stack import Stack

pytestmark = [pytest.mark.deploy, pytest.mark.integration]


def _run(url: str) -> subprocess.CompletedProcess[str]:
    script = tools.CHART / "files" / "board_test.py"
    return subprocess.run(
        [sys.executable, script],
        env={"BOARD_URL": url},
        text=True,
        capture_output=True,
        check=False,
    )


def test_helm_test_walks_through_every_part_and_removes_its_account(stack: Stack) -> None:
    done = _run(stack.url)

    assert done.returncode == 0, done.stderr
    assert "found in /api/logs/redis\nfound in /api/logs/kafka\nremoved\n" in done.stdout
    assert "test-" not in stack.run("user", "list")


def test_helm_test_fails_where_nothing_answers() -> None:
    done = _run(f"http://127.0.0.1:{free_port()}")

    assert done.returncode != 0
    assert "Connection refused" in done.stderr
