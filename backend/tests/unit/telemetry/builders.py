"""Trace contexts, processes with telemetry, and the lines they write."""

import json
import subprocess
import sys

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{SPAN_ID}-00"


def read_one(written: bytes) -> dict[str, object]:
    """The only line in `written`."""
    assert written.endswith(b"\n")
    assert written.count(b"\n") == 1
    read = json.loads(written)
    assert isinstance(read, dict)
    return read


def in_a_process(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `code` after configure() in a process of its own, which keeps the logging of this one."""
    start = "import structlog, logging\nfrom madang.telemetry import *\n"
    return subprocess.run(
        [sys.executable, "-c", start + code],
        env={"PYTHONPATH": ":".join(sys.path), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """The lines that a process wrote, all of them JSON."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [read_one(line.encode()) for line in done.stdout.splitlines(keepends=True)]
