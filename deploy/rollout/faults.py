"""How what is missing is told, and what the programs here begin and end with."""

import argparse
import sys
from collections.abc import Callable, Sequence
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


def arguments(program: str, description: str | None) -> argparse.ArgumentParser:
    """Of a program that is about one release."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--release", required=True)
    return parser


def exit_code(program: Callable[[], int | None], *expected: type[Exception]) -> int:
    """What it returns, 0 for nothing; 1 and a line for an expected error, 130 when stopped."""
    try:
        return program() or 0
    except expected as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def tell(faults: Sequence[Fault]) -> int:
    """All faults; the exit code."""
    lines = []
    for number, fault in enumerate(faults, start=1):
        lines += [f"  {number}. {fault.missing}", f"     mend: {fault.mend}"]
    if lines:
        what = "one thing is" if len(faults) == 1 else f"{len(faults)} things are"
        sys.stderr.write("\n".join([f"error: {what} in the way", *lines, ""]))
    return 1 if lines else 0
