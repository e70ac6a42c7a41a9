"""Percentiles of many sketches at once."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from madang.calls.sketch import BUCKET_BITS, BUCKET_MASK, ENTRY_BYTES, GAMMA, LONGEST, bucket_of

Numbers = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_BUCKETS = bucket_of(LONGEST) + 1
_DURATIONS_US: Numbers = np.float64(2 / (GAMMA + 1)) * GAMMA ** (np.arange(_BUCKETS) - 1.0)
_DURATIONS_US[0] = 0.0
"""Of each bucket, what is nearest in proportion to all that count there."""

_CELLS_A_PART = 250_000
"""So many buckets are counted at once: what does not fit into the processor's cache takes twice
as long."""


class Sketches(NamedTuple):
    """Sketches one after the other: all entries, and how many of them each sketch has."""

    entries: npt.NDArray[np.uint32]
    sizes: Whole

    @classmethod
    def of(cls, raw: bytes, lengths: Whole) -> "Sketches":
        """From bytes, and how many of them each sketch has."""
        return cls(np.frombuffer(raw, "<u4"), lengths // ENTRY_BYTES)


class Percentiles:
    """Percentiles of durations in microseconds, by slot and series; 0 where none counts.

    The quantile q of n durations is the one at position floor(q (n - 1)) of their ascending order.
    Counts are whole and exact up to 2^53.
    """

    def __init__(self, slots: int, series: int, quantiles: Sequence[float]) -> None:
        """Of no sketches yet; quantiles are from 0 to 1."""
        self.by_slot: Numbers = np.zeros((slots, series, len(quantiles)))
        """Of each slot, series and quantile."""

        self._together = np.zeros((series, _BUCKETS))
        self._quantiles = quantiles

    def add(self, sketches: Sketches, slots: Whole, series: Whole) -> None:
        """Merge the sketches of one slot and one series; all of a slot come in one call.

        Args:
            sketches: in the order of their slots.
            slots: the slot of each, ascending.
            series: the series of each.
        """
        series_count = len(self._together)
        slots_a_part = max(1, _CELLS_A_PART // (series_count * _BUCKETS))
        begins = np.concatenate(([0], np.cumsum(sketches.sizes)))
        places = np.flatnonzero(np.diff(slots // slots_a_part)) + 1
        for begin, end in pairwise([0, *places.tolist(), len(slots)]):
            self._count(
                sketches.entries[begins[begin] : begins[end]],
                sketches.sizes[begin:end],
                slots[begin:end],
                series[begin:end],
            )

    def of_all(self) -> Numbers:
        """Of each series in all slots and quantile."""
        return _quantiles_us(self._together, 0, self._quantiles)

    def _count(
        self, entries: npt.NDArray[np.uint32], sizes: Whole, slots: Whole, series: Whole
    ) -> None:
        if not len(entries):
            return
        first, last, series_count = int(slots[0]), int(slots[-1]) + 1, len(self._together)
        buckets = (entries & BUCKET_MASK).astype(np.int64)
        low = int(buckets.min())
        width = int(buckets.max()) - low + 1
        cells = ((slots - first) * series_count + series) * width - low
        flat: Numbers = np.bincount(
            np.repeat(cells, sizes) + buckets,
            weights=entries >> BUCKET_BITS,
            minlength=(last - first) * series_count * width,
        ).astype(np.float64, copy=False)
        counts = flat.reshape(last - first, series_count, width)
        self._together[:, low : low + width] += counts.sum(axis=0)
        self.by_slot[first:last] = _quantiles_us(counts, low, self._quantiles)


def _quantiles_us(counts: Numbers, low: int, quantiles: Sequence[float]) -> Numbers:
    """Along the last axis of `counts`, which begins with the bucket `low`."""
    width = counts.shape[-1]
    seen = counts.cumsum()
    ends = seen[width - 1 :: width, np.newaxis]
    begins = np.concatenate((np.zeros((1, 1)), ends[:-1]))
    ranks = begins + np.floor(np.maximum(ends - begins - 1, 0) * np.asarray(quantiles))
    places = np.searchsorted(seen, ranks.ravel(), side="right").reshape(ranks.shape)
    rows = np.arange(0, seen.size, width)[:, np.newaxis]
    durations = _DURATIONS_US[np.minimum(places - rows, width - 1) + low]
    durations[ends[:, 0] == begins[:, 0]] = 0.0
    found: Numbers = durations.reshape(*counts.shape[:-1], len(quantiles))
    return found
