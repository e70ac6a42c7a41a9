"""Series of statistics: parts that were counted, merged into points and totals (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from madang.calls import sketch
from madang.calls.statistics import Part, Period

QUANTILES = (0.5, 0.95, 0.99)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Calls, errors (5xx), and percentiles of their duration in microseconds; None for users."""

    calls: int
    errors: int
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None


class Point(Figures, frozen=True, kw_only=True):
    """The calls of one step."""

    start: str


class Series(Figures, frozen=True, kw_only=True):
    """The calls of one name: all of the period, and by step; steps without calls are left out."""

    name: str
    points: list[Point]


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    errors: int = 0
    durations: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add_part(self, part: Part) -> None:
        self.calls += part.calls
        self.errors += part.errors
        sketch.merge(self.durations, part.sketch)

    def add(self, other: "_Sum") -> None:
        self.calls += other.calls
        self.errors += other.errors
        for bucket, count in other.durations.items():
            self.durations[bucket] += count


def series_of(parts: Iterable[Part], period: Period, starts: Mapping[int, str]) -> list[Series]:
    """Merge parts into one series a name, the one with the most calls first.

    Args:
        parts: in any order.
        period: where the slots are.
        starts: how the moment at which each slot starts is written.
    """
    slots: defaultdict[str, defaultdict[int, _Sum]] = defaultdict(lambda: defaultdict(_Sum))
    for part in parts:
        slots[part.name][part.slot].add_part(part)
    series = [_series(name, of_name, starts) for name, of_name in slots.items()]
    return sorted(series, key=lambda item: (-item.calls, item.name))


def _series(name: str, slots: Mapping[int, _Sum], starts: Mapping[int, str]) -> Series:
    total = _Sum()
    for found in slots.values():
        total.add(found)
    points = [Point(start=starts[slot], **_figures(slots[slot])) for slot in sorted(slots)]
    return Series(name=name, points=points, **_figures(total))


def _figures(found: _Sum) -> dict[str, Any]:
    percentiles: Sequence[float | None] = (None, None, None)
    if found.durations:
        percentiles = sketch.quantiles_us(found.durations, QUANTILES)
    p50, p95, p99 = percentiles
    return {
        "calls": found.calls,
        "errors": found.errors,
        "p50_us": p50,
        "p95_us": p95,
        "p99_us": p99,
    }
