"""The figures of a spool, measured now."""

from pathlib import Path

from madang.calls.spool import spool_state
from madang.clock import Clock
from madang.errors import SpoolError
from madang.telemetry import Figures

SPOOL_FIGURES = (
    "spool_bytes",
    "unsent_bytes",
    "oldest_unsent_seconds",
    "unrecorded",
    "refused",
    "torn",
    "unreadable",
)


def spool_figures(directory: Path, clock: Clock) -> Figures:
    """What a spool holds; none of it where the directory cannot be read, which a check says."""
    try:
        state = spool_state(directory)
    except SpoolError:
        return dict.fromkeys(SPOOL_FIGURES)
    age: float | None = None if state.unsent_bytes else 0.0
    if state.oldest_unsent is not None:
        age = round(max(0.0, (clock() - state.oldest_unsent).total_seconds()), 3)
    return {
        "spool_bytes": state.total_bytes,
        "unsent_bytes": state.unsent_bytes,
        "oldest_unsent_seconds": age,
        "unrecorded": state.unrecorded,
        "refused": state.refused,
        "torn": state.torn,
        "unreadable": state.unreadable,
    }


def spool_remark(directory: Path) -> str | None:
    """For readiness: what waits in a spool.

    Raises:
        SpoolError: it cannot be read.
    """
    unsent = spool_state(directory).unsent_bytes
    return f"{unsent} bytes wait for Kafka" if unsent else None
