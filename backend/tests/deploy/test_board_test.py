"""What `helm test` runs, against the whole system."""

import subprocess
import sys

import pytest

from tests.deploy import tools
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
    said = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in said] == [
        "registered",
        *["posted"],
        "found",
        "found",
        "removed",
    ]
