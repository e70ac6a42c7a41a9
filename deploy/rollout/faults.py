"""How what is missing is told."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What is missing, and the command or setting that mends it."""

    missing: str
    mend: str


def say(text: str) -> None:
    """A line at once, for someone who waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(faults: Sequence[Fault]) -> int:
    """All faults; the exit code."""
    lines = []
    for number, fault in enumerate(faults, start=1):
        lines += [f"  {number}. {fault.missing}", f"     mend: {fault.mend}"]
    if lines:
        what = "one thing is" if len(faults) == 1 else f"{len(faults)} things are"
        sys.stderr.write("\n".join([f"error: {what} in the way", *lines, ""]))
    return 1 if lines else 0
