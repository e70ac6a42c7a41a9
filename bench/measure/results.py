"""Results as they stand in `results/`, and the command line that all benches share."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from measure import BENCH
from measure.machine import Machine, machine, settings, versions
from measure.stand import Stand
from measure.tables import put_between_marks


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What every result says first: when, on what, with what."""

    date: str
    machine: Machine
    versions: dict[str, str]

    def faults(self) -> list[str]:
        """Where the result is wrong or misses its target; empty when all is well."""
        raise NotImplementedError

    def conditions(self, how: str, found: dict[str, str]) -> str:
        """One paragraph: the machine, `how` it was measured, and under which settings."""
        size = self.machine
        used = ", ".join(f"{name}={value}" for name, value in found.items())
        named = ", ".join(f"{name} {value}" for name, value in self.versions.items())
        return (
            f"{self.date}: {size.cores} cores ({size.cpu}), {size.memory_gib} GiB, "
            f"Linux {size.kernel}. {how}. {f'{used}. ' if used else ''}{named}.\n"
        )

    def verdict(self, all_well: str) -> str:
        """`all_well`, or what was not met."""
        faults = self.faults()
        if not faults:
            return f"{all_well}\n"
        return "Not met:\n\n" + "\n".join(f"- {fault}" for fault in faults) + "\n"


class Circumstances(msgspec.Struct, frozen=True):
    """What a measurement begins with, taken while its services run."""

    date: str
    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str]

    @classmethod
    def now(cls, stand: Stand | None, *programs: str) -> "Circumstances":
        """Of this machine, of `stand` where there is one, and of `programs` besides."""
        return cls(
            datetime.now(UTC).date().isoformat(),
            machine(),
            versions(stand, *programs),
            {} if stand is None else settings(stand.mariadb),
        )


Found = TypeVar("Found", bound=Measurement)


@dataclass(frozen=True, slots=True)
class Bench(Generic[Found]):
    """One program: its name, which is its mark in README.md too, and its result as Markdown."""

    name: str
    result: type[Found]
    report: Callable[[Found], str]
    publish: Callable[[Found], None] | None = None
    """What it publishes besides its report."""

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """What every bench takes."""
        parser.add_argument(
            "--out", type=Path, help=f"default: results/<date>-{self.name}.json here"
        )
        parser.add_argument(
            "--publish", action="store_true", help="write the tables into the pages"
        )
        parser.add_argument(
            "--render", type=Path, metavar="JSON", help="measure nothing, show this"
        )

    def keep(self, given: argparse.Namespace, result: Found) -> None:
        """Write a result to its place; also one that is not finished."""
        save(result, given.out or BENCH / "results" / f"{result.date}-{self.name}.json")

    def run(self, given: argparse.Namespace, measure: Callable[[], Found]) -> int:
        """Measure or read, save, show; the exit code: 1 where a target is missed."""
        if given.render:
            result = load(given.render, self.result)
        else:
            result = measure()
            self.keep(given, result)
        text = self.report(result)
        sys.stdout.write(f"\n{text}")
        if given.publish:
            put_between_marks(BENCH / "README.md", self.name, text)
            if self.publish is not None:
                self.publish(result)
        return 1 if result.faults() else 0


def save(result: Measurement, path: Path) -> None:
    """Write a result as JSON; whoever reads the file meanwhile finds a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".writing")
    written.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    written.replace(path)


def load(path: Path, result: type[Found]) -> Found:
    """Read a result.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return msgspec.json.decode(path.read_bytes(), type=result)
