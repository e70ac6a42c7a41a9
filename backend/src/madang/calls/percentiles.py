"""Percentiles of many sketches at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from madang.calls.sketch import BUCKET_BITS, BUCKET_MASK, ENTRY_BYTES, GAMMA, LONGEST, bucket_of

Numbers = npt.NDArray[np.float64]

_BUCKETS = bucket_of(LONGEST) + 1
_DURATIONS_US: Numbers = np.float64(2 / (GAMMA + 1)) * GAMMA ** (np.arange(_BUCKETS) - 1.0)
_DURATIONS_US[0] = 0.0
"""Of each bucket, what is nearest in proportion to all that count there."""


def merged(sketches: Sequence[bytes]) -> Numbers:
    """How many durations count in each bucket, a row for each sketch, whose entries are added up.

    Counts are whole and exact up to 2^53.
    """
    entries = np.frombuffer(b"".join(sketches), "<u4")
    rows = np.repeat(np.arange(len(sketches)), [len(raw) // ENTRY_BYTES for raw in sketches])
    places = rows * _BUCKETS + (entries & BUCKET_MASK)
    counts = np.bincount(places, weights=entries >> BUCKET_BITS, minlength=len(sketches) * _BUCKETS)
    return counts.reshape(len(sketches), _BUCKETS).astype(np.float64, copy=False)


def quantiles_us(counts: Numbers, quantiles: Sequence[float]) -> Numbers:
    """Durations in microseconds: for each row of `counts`, one for each quantile (0 to 1).

    The quantile q of n durations is the one at position floor(q (n - 1)) of their ascending order;
    0 where there are none.
    """
    seen = counts.cumsum(axis=1)
    ranks = np.floor(np.maximum(seen[:, -1:] - 1, 0) * np.asarray(quantiles))
    found = (seen[:, np.newaxis, :] > ranks[:, :, np.newaxis]).argmax(axis=2)
    durations: Numbers = _DURATIONS_US[found]
    return durations
