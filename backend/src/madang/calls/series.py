"""Series of statistics: what was counted, merged into points and totals (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from madang.calls.percentiles import Sketches, Whole, percentiles_us
from madang.calls.statistics import Moment, Period, UserPart

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


class _Counted(NamedTuple):
    """What was counted, a row for each place in the arrays; `name` is one of `names`."""

    names: Sequence[str]
    slot: Whole
    name: Whole
    calls: Whole
    errors: Whole
    sketches: Sketches | None


def series_of(
    moments: Sequence[Moment],
    names: Mapping[int, str],
    period: Period,
    starts: Sequence[str],
    most: int,
) -> tuple[list[Series], int]:
    """Merge what was counted into one series a name, those with the most calls first.

    Args:
        moments: in the order of time.
        names: of each kind.
        period: which moments belong to which slot.
        starts: how the moment at which each slot starts is written.
        most: how many series to give.

    Returns:
        The series, and how many names there are in all.
    """
    text = " ".join(moment.figures for moment in moments)
    kinds, calls, errors, lengths = np.fromstring(text, np.int64, sep=" ").reshape(-1, 4).T
    rows = [moment.figures.count(" ") // 4 + 1 for moment in moments]
    at = np.fromiter((moment.start for moment in moments), np.int64, len(moments))
    found, kind = np.unique(kinds, return_inverse=True)
    of_kinds = [names[number] for number in found.tolist()]
    different = sorted(set(of_kinds))
    places = {name: place for place, name in enumerate(different)}
    counted = _Counted(
        names=different,
        slot=np.repeat((at - period.begin) // period.slot_seconds, rows),
        name=np.array([places[name] for name in of_kinds], np.int64)[kind],
        calls=calls,
        errors=errors,
        sketches=Sketches.of(b"".join(moment.sketches for moment in moments), lengths),
    )
    return _series(counted, starts, most), len(different)


def user_series_of(parts: Iterable[UserPart], starts: Sequence[str]) -> list[Series]:
    """One series a user, the one with the most calls first."""
    rows = sorted(parts)
    names = sorted({row.user_id for row in rows})
    places = {name: place for place, name in enumerate(names)}
    counted = _Counted(
        names=names,
        slot=np.array([row.slot for row in rows], np.int64),
        name=np.array([places[row.user_id] for row in rows], np.int64),
        calls=np.array([row.calls for row in rows], np.int64),
        errors=np.array([row.errors for row in rows], np.int64),
        sketches=None,
    )
    return _series(counted, starts, len(names))


def _series(counted: _Counted, starts: Sequence[str], most: int) -> list[Series]:
    names, slots = len(counted.names), len(starts)
    cells = counted.name * slots + counted.slot
    calls, errors = (
        np.bincount(cells, figures, names * slots).astype(np.int64).reshape(names, slots)
        for figures in (counted.calls, counted.errors)
    )
    all_calls, all_errors = calls.sum(axis=1).tolist(), errors.sum(axis=1).tolist()
    chosen = sorted(range(names), key=lambda name: (-all_calls[name], name))[:most]
    by_slot, of_all = _percentiles(counted, chosen, slots)
    made = []
    for place, name in enumerate(chosen):
        present = np.flatnonzero(calls[name])
        p50, p95, p99 = of_all[place].tolist()
        made.append(
            Series(
                name=counted.names[name],
                calls=all_calls[name],
                errors=all_errors[name],
                p50_us=p50,
                p95_us=p95,
                p99_us=p99,
                points=[
                    Point(
                        start=starts[slot], calls=some, errors=failed, p50_us=x, p95_us=y, p99_us=z
                    )
                    for slot, some, failed, (x, y, z) in zip(
                        present.tolist(),
                        calls[name, present].tolist(),
                        errors[name, present].tolist(),
                        by_slot[present, place].tolist(),
                        strict=True,
                    )
                ],
            )
        )
    return made


def _percentiles(
    counted: _Counted, chosen: Sequence[int], slots: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Of each slot and chosen name, and of each chosen name in all; None without sketches."""
    if counted.sketches is None:
        none = np.full((slots, len(chosen), len(QUANTILES)), None)
        return none, none[0]
    place_of = np.full(len(counted.names), -1)
    place_of[chosen] = np.arange(len(chosen))
    place = place_of[counted.name]
    slot, sketches = counted.slot, counted.sketches
    if len(chosen) < len(counted.names):
        asked = place >= 0
        place, slot, sketches = place[asked], slot[asked], sketches.only(asked)
    by_slot, of_all = percentiles_us(sketches, slot, place, (slots, len(chosen)), QUANTILES)
    return by_slot.round(1), of_all.round(1)
