"""Series of statistics: what was counted, merged into points and totals (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from madang.calls.percentiles import Percentiles, Sketches, Whole
from madang.calls.statistics import Moment, Period, UserPart

QUANTILES = (0.5, 0.95, 0.99)
UNKNOWN = "(unknown)"
"""What kinds are called that have rows and are not known: the database was restored in part."""


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


def series_of(
    portions: Iterable[Sequence[Moment]],
    names: Mapping[int, str],
    period: Period,
    starts: Sequence[str],
    most: int,
) -> tuple[list[Series], int]:
    """Merge what was counted into one series a name, those with the most calls first.

    Args:
        portions: in the order of time; each has all moments of its slots.
        names: of each kind.
        period: which moments belong to which slot.
        starts: how the moment at which each slot starts is written.
        most: how many series to give.

    Returns:
        The series, and how many names have calls.
    """
    different = sorted({UNKNOWN, *names.values()})
    place_of = {name: place for place, name in enumerate(different)}
    counts = _Counts.none(len(different), len(starts))
    percentiles = Percentiles(len(starts), len(different), QUANTILES)
    for moments in portions:
        text = " ".join(moment.figures for moment in moments)
        kinds, calls, errors, lengths = np.fromstring(text, np.int64, sep=" ").reshape(-1, 4).T
        rows = [moment.figures.count(" ") // 4 + 1 for moment in moments]
        at = np.fromiter((moment.start for moment in moments), np.int64, len(moments))
        slot = np.repeat((at - period.begin) // period.slot_seconds, rows)
        found, kind = np.unique(kinds, return_inverse=True)
        places = [place_of[names.get(number, UNKNOWN)] for number in found.tolist()]
        place = np.array(places, np.int64)[kind]
        counts.add(place, slot, calls, errors)
        sketches = Sketches.of(b"".join(moment.sketches for moment in moments), lengths)
        percentiles.add(sketches, slot, place)
    ranked = counts.ranked()
    by_name, of_all = percentiles.by_slot.round(1).swapaxes(0, 1), percentiles.of_all().round(1)
    return [
        _series(different[place], counts.of(place), by_name[place], of_all[place], starts)
        for place in ranked[:most]
    ], len(ranked)


def user_series_of(parts: Sequence[UserPart], starts: Sequence[str]) -> list[Series]:
    """One series a user, the one with the most calls first."""
    names = sorted({part.user_id for part in parts})
    place_of = {name: place for place, name in enumerate(names)}
    counts = _Counts.none(len(names), len(starts))
    counts.add(
        np.array([place_of[part.user_id] for part in parts], np.int64),
        np.array([part.slot for part in parts], np.int64),
        np.array([part.calls for part in parts], np.int64),
        np.array([part.errors for part in parts], np.int64),
    )
    none = np.full((len(starts), len(QUANTILES)), None)
    return [
        _series(names[place], counts.of(place), none, none[0], starts) for place in counts.ranked()
    ]


class _Counts(NamedTuple):
    """How many calls and errors there are of each name in each slot."""

    calls: Whole
    errors: Whole

    @classmethod
    def none(cls, names: int, slots: int) -> "_Counts":
        return cls(np.zeros((names, slots), np.int64), np.zeros((names, slots), np.int64))

    def add(self, name: Whole, slot: Whole, calls: Whole, errors: Whole) -> None:
        """Add rows, each of which is about one name and one slot."""
        np.add.at(self.calls, (name, slot), calls)
        np.add.at(self.errors, (name, slot), errors)

    def of(self, name: int) -> "_Counts":
        """Of one name, by slot."""
        return _Counts(self.calls[name], self.errors[name])

    def ranked(self) -> list[int]:
        """The names that have calls, the one with the most first."""
        totals = self.calls.sum(axis=1).tolist()
        called = (name for name, calls in enumerate(totals) if calls)
        return sorted(called, key=lambda name: (-totals[name], name))


def _series(
    name: str,
    counts: _Counts,
    by_slot: npt.NDArray[Any],
    of_all: npt.NDArray[Any],
    starts: Sequence[str],
) -> Series:
    p50, p95, p99 = of_all.tolist()
    slots = np.flatnonzero(counts.calls)
    points = zip(
        slots.tolist(),
        counts.calls[slots].tolist(),
        counts.errors[slots].tolist(),
        by_slot[slots].tolist(),
        strict=True,
    )
    return Series(
        name=name,
        calls=int(counts.calls.sum()),
        errors=int(counts.errors.sum()),
        p50_us=p50,
        p95_us=p95,
        p99_us=p99,
        points=[
            Point(start=starts[slot], calls=some, errors=failed, p50_us=x, p95_us=y, p99_us=z)
            for slot, some, failed, (x, y, z) in points
        ],
    )
