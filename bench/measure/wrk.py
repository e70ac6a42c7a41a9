"""Load by wrk: one request over and over on so many connections."""

import subprocess
from dataclasses import dataclass

import msgspec

from measure import BENCH
from measure.latency import Buckets, bucketed
from tests.services.process import find_program

_SCRIPT = BENCH / "measure" / "load.lua"
_RESULT = "RESULT "
_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Target:
    """The request to repeat."""

    port: int
    method: str
    path: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What wrk got: whole answers, those above 399, and connections that broke or timed out."""

    requests: int
    seconds: float
    refused: int
    broken: int
    latencies: Buckets


class _Printed(msgspec.Struct):
    requests: int
    duration_us: int
    refused: int
    broken: int
    latency_us: list[tuple[int, int]]


def drive(target: Target, *, connections: int, seconds: float) -> Answers:
    """Repeat the request for this long, from one thread, so that the servers have the cores.

    Raises:
        subprocess.CalledProcessError: wrk failed.
    """
    argv = [
        *(find_program("wrk"), "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds:g}s", "--timeout", f"{_TIMEOUT_SECONDS}s"),
        *("--script", str(_SCRIPT), "--header", f"Cookie: {target.cookie}"),
        *(f"http://127.0.0.1:{target.port}", "--", target.method, target.path),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith(_RESULT))
    printed = msgspec.json.decode(line.removeprefix(_RESULT), type=_Printed)
    return Answers(
        printed.requests,
        printed.duration_us / 1_000_000,
        printed.refused,
        printed.broken,
        bucketed(printed.latency_us),
    )
