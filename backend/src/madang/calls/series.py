"""Series of statistics: parts that were counted, merged into points and totals (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from madang.calls.percentiles import merged, quantiles_us
from madang.calls.statistics import Part

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


def series_of(parts: Iterable[Part], starts: Mapping[int, str]) -> list[Series]:
    """Merge parts into one series a name, the one with the most calls first.

    Args:
        parts: in any order.
        starts: how the moment at which each slot starts is written.
    """
    slots: defaultdict[str, defaultdict[int, list[Part]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        slots[part.name][part.slot].append(part)
    series = [_series(name, of_name, starts) for name, of_name in slots.items()]
    return sorted(series, key=lambda item: (-item.calls, item.name))


def _series(name: str, slots: Mapping[int, list[Part]], starts: Mapping[int, str]) -> Series:
    in_turn = sorted(slots)
    calls = [sum(part.calls for part in slots[slot]) for slot in in_turn]
    errors = [sum(part.errors for part in slots[slot]) for slot in in_turn]
    *by_slot, of_all = _percentiles([slots[slot] for slot in in_turn])
    points = [
        Point(start=starts[slot], calls=number, errors=failed, p50_us=p50, p95_us=p95, p99_us=p99)
        for slot, number, failed, (p50, p95, p99) in zip(
            in_turn, calls, errors, by_slot, strict=True
        )
    ]
    p50, p95, p99 = of_all
    return Series(
        name=name,
        points=points,
        calls=sum(calls),
        errors=sum(errors),
        p50_us=p50,
        p95_us=p95,
        p99_us=p99,
    )


def _percentiles(slots: Sequence[Sequence[Part]]) -> list[list[float | None]]:
    """Of each slot, and last of all together."""
    sketches = [b"".join(part.sketch for part in parts) for parts in slots]
    if not any(sketches):
        return [[None] * len(QUANTILES)] * (len(slots) + 1)
    counts = merged(sketches)
    together = counts.sum(axis=0, keepdims=True)
    return [
        *quantiles_us(counts, QUANTILES).round(1).tolist(),
        *quantiles_us(together, QUANTILES).round(1).tolist(),
    ]
