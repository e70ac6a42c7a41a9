"""The recorded result of the live bench, and what it comes down to."""

from pathlib import Path

import msgspec

from measure.latency import Buckets, percentile_ms
from measure.machine import Machine
from measure.tables import table
from measure.usage import Use

DELAY_WANTED_MS = 250.0


class Stretch(msgspec.Struct, frozen=True):
    """Some seconds in which all streams were open."""

    seconds: float
    calls: int
    delays: Buckets
    uses: dict[str, Use]
    client_cpu_seconds: float
    other_cpu_seconds: float
    """Of anything else, this bench included, on the machine."""
    received_bytes: int
    pings: int

    def cores(self, role: str) -> float:
        """The processor time of a role, in cores."""
        return self.uses[role].cpu_seconds / self.seconds


class Restart(msgspec.Struct, frozen=True):
    """`live` was killed and started again under load, and every client came back at once."""

    down_seconds: float
    back_seconds: float
    """From the moment it took connections again until the last stream was open."""
    gaps: int


class Case(msgspec.Struct, frozen=True):
    """All of it, with the streams spread over so many sessions."""

    sessions: int
    opening_seconds: float
    idle: Stretch
    load: Stretch
    restart: Restart
    probes_wanted: int
    """What was added, once for each stream."""
    probes_seen: int
    repeated: int


class Parameters(msgspec.Struct, frozen=True):
    """How it was measured."""

    streams: int
    per_second: int
    seconds: float
    one_probe_in: int
    precedence: bool
    """Whether what was measured went before what else the machine did."""


class LiveResult(msgspec.Struct, frozen=True):
    """Everything, as it stands in `results/`."""

    date: str
    machine: Machine
    versions: dict[str, str]
    parameters: Parameters
    cases: list[Case]

    def faults(self) -> list[str]:
        """Where the result is wrong or misses its target; empty when all is well."""
        found = []
        for case in self.cases:
            name = f"{case.sessions} sessions"
            p99 = percentile_ms(case.load.delays, 99)
            if not p99 < DELAY_WANTED_MS:
                found.append(f"{name}: p99 of the delay {p99:.0f} ms")
            if (case.probes_seen, case.repeated) != (case.probes_wanted, 0):
                found.append(
                    f"{name}: {case.probes_seen} probes seen of {case.probes_wanted}, "
                    f"{case.repeated} twice"
                )
            if case.restart.gaps:
                found.append(f"{name}: {case.restart.gaps} gaps after the restart")
        return found


def load_live(path: Path) -> LiveResult:
    """Read a result.

    Raises:
        msgspec.MsgspecError: it is none.
    """
    return msgspec.json.decode(path.read_bytes(), type=LiveResult)


def report(result: LiveResult) -> str:
    """Everything worth reading of a result, as Markdown."""
    return "\n".join(
        [
            _conditions(result),
            table(
                ("", *(f"{case.sessions:,} sessions" for case in result.cases)),
                [[name, *cells] for name, cells in _rows(result)],
            ),
            _verdict(result),
        ]
    )


def _conditions(result: LiveResult) -> str:
    size, used = result.machine, result.parameters
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    precedence = (
        " Others used the machine; what was measured went before them (autogroup nice -10)."
    )
    return (
        f"{result.date}: {size.cores} cores ({size.cpu}), {size.memory_gib} GiB, "
        f"Linux {size.kernel}. {used.streams:,} streams on one `madang live`, "
        f"{used.per_second} calls a second, {used.seconds:g} s idle and {used.seconds:g} s under "
        f"load; the delay of one call in {used.one_probe_in}."
        f"{precedence if used.precedence else ''} {versions}.\n"
    )


def _rows(result: LiveResult) -> list[tuple[str, list[str]]]:
    cases = result.cases

    def delay(percent: float) -> list[str]:
        return [f"{percentile_ms(case.load.delays, percent):.0f}" for case in cases]

    return [
        ("delay p50 ms", delay(50)),
        ("delay p99 ms", delay(99)),
        ("delay max ms", delay(100)),
        ("`live` under load, cores", [f"{case.load.cores('live'):.2f}" for case in cases]),
        ("`live` idle, cores", [f"{case.idle.cores('live'):.3f}" for case in cases]),
        ("`live` resident MiB", [f"{case.load.uses['live'].rss_mib:.0f}" for case in cases]),
        ("pings in the idle time", [f"{case.idle.pings:,}" for case in cases]),
        ("MariaDB idle, cores", [f"{case.idle.cores('mariadb'):.3f}" for case in cases]),
        ("Redis under load, cores", [f"{case.load.cores('redis'):.2f}" for case in cases]),
        (
            "clients under load, cores",
            [f"{case.load.client_cpu_seconds / case.load.seconds:.2f}" for case in cases],
        ),
        (
            "anything else under load, cores",
            [f"{case.load.other_cpu_seconds / case.load.seconds:.2f}" for case in cases],
        ),
        (
            "sent MiB a second",
            [f"{case.load.received_bytes / case.load.seconds / 2**20:.1f}" for case in cases],
        ),
        ("all streams opened in s", [f"{case.opening_seconds:.1f}" for case in cases]),
        ("down at the restart, s", [f"{case.restart.down_seconds:.1f}" for case in cases]),
        ("then all back after s", [f"{case.restart.back_seconds:.1f}" for case in cases]),
        ("probes seen", [f"{case.probes_seen:,} of {case.probes_wanted:,}" for case in cases]),
        ("seen twice", [str(case.repeated) for case in cases]),
    ]


def _verdict(result: LiveResult) -> str:
    faults = result.faults()
    if not faults:
        return (
            f"p99 is below {DELAY_WANTED_MS:.0f} ms, and every stream saw every call once, also "
            "over the restart.\n"
        )
    return "Not met:\n\n" + "\n".join(f"- {fault}" for fault in faults) + "\n"
