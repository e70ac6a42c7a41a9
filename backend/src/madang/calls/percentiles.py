"""Percentiles of many sketches at once."""

from collections.abc import Sequence
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

    def only(self, chosen: npt.NDArray[np.bool_]) -> "Sketches":
        """Those of them that are marked."""
        return Sketches(self.entries[np.repeat(chosen, self.sizes)], self.sizes[chosen])


def percentiles_us(
    sketches: Sketches,
    slots: Whole,
    series: Whole,
    shape: tuple[int, int],
    quantiles: Sequence[float],
) -> tuple[Numbers, Numbers]:
    """Percentiles of durations in microseconds; 0 where none counts.

    The quantile q of n durations is the one at position floor(q (n - 1)) of their ascending order.
    Counts are whole and exact up to 2^53.

    Args:
        sketches: in the order of their slots; those of one slot and one series are merged.
        slots: the slot of each sketch, ascending.
        series: the series of each sketch.
        shape: how many slots and series there are.
        quantiles: from 0 to 1.

    Returns:
        Of each slot, series and quantile, and of each series in all slots and quantile.
    """
    slot_count, series_count = shape
    found = np.zeros((slot_count, series_count, len(quantiles)))
    together = np.zeros((series_count, _BUCKETS))
    slots_a_part = max(1, _CELLS_A_PART // (max(1, series_count) * _BUCKETS))
    begins = np.concatenate(([0], np.cumsum(sketches.sizes)))
    bounds = np.searchsorted(slots, np.arange(0, slot_count + slots_a_part, slots_a_part))
    for first, begin, end in zip(
        range(0, slot_count, slots_a_part), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True
    ):
        entries = sketches.entries[begins[begin] : begins[end]]
        if not len(entries):
            continue
        part = min(slots_a_part, slot_count - first)
        buckets = (entries & BUCKET_MASK).astype(np.int64)
        low = int(buckets.min())
        width = int(buckets.max()) - low + 1
        cells = ((slots[begin:end] - first) * series_count + series[begin:end]) * width - low
        counts = np.bincount(
            np.repeat(cells, sketches.sizes[begin:end]) + buckets,
            weights=entries >> BUCKET_BITS,
            minlength=part * series_count * width,
        ).astype(np.float64, copy=False)
        counts = counts.reshape(part, series_count, width)
        together[:, low : low + width] += counts.sum(axis=0)
        found[first : first + part] = _quantiles_us(counts, low, quantiles)
    return found, _quantiles_us(together, 0, quantiles)


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
