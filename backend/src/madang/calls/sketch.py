"""Durations as DDSketches: percentiles that merge, within one per cent of the exact value.

Masson, Rim, Lee: DDSketch, a fast and fully-mergeable quantile sketch with relative-error
guarantees (VLDB 2019), with the logarithmic mapping and without a limit on buckets, for durations
are bounded. A duration of d microseconds counts in bucket 1 + ceil(log(d) / log(gamma)), gamma
being (1 + accuracy) / (1 - accuracy); zero counts in bucket 0.

Stored as entries of four bytes, little-endian: the bucket in the low eleven bits, a count above
them. A bucket may stand in several entries, so the entries of two sketches in a row are the sketch
of both: a database merges by concatenation.
"""

import math
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

RELATIVE_ACCURACY: Final = 0.01

_GAMMA: Final = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
_PER_LOG: Final = 1 / math.log(_GAMMA)
_BUCKET_BITS: Final = 11
_BUCKET_MASK: Final = (1 << _BUCKET_BITS) - 1
_LARGEST_COUNT: Final = (1 << (32 - _BUCKET_BITS)) - 1
_ENTRY_BYTES: Final = 4

Buckets = Mapping[int, int]
"""How many durations count in each bucket."""


def bucket_of(duration_us: int) -> int:
    """The bucket of a duration of 0 to 10^12 microseconds: 0 to 1383."""
    return 1 + math.ceil(math.log(duration_us) * _PER_LOG) if duration_us > 0 else 0


def count(durations_us: Iterable[int]) -> Counter[int]:
    """The sketch of these durations."""
    return Counter(map(bucket_of, durations_us))


def to_bytes(buckets: Buckets) -> bytes:
    """As entries, smallest bucket first."""
    entries: list[int] = []
    for bucket in sorted(buckets):
        left = buckets[bucket]
        while left > 0:
            part = min(left, _LARGEST_COUNT)
            entries.append(part << _BUCKET_BITS | bucket)
            left -= part
    return struct.pack(f"<{len(entries)}I", *entries)


def merge(buckets: defaultdict[int, int], raw: bytes) -> None:
    """Add what stands in entries to a sketch."""
    for entry in struct.unpack(f"<{len(raw) // _ENTRY_BYTES}I", raw):
        buckets[entry & _BUCKET_MASK] += entry >> _BUCKET_BITS


def from_bytes(raw: bytes) -> defaultdict[int, int]:
    """Back from entries, merging those of one bucket."""
    buckets: defaultdict[int, int] = defaultdict(int)
    merge(buckets, raw)
    return buckets


def quantiles_us(buckets: Buckets, quantiles: Sequence[float]) -> list[float]:
    """The durations in microseconds at `quantiles` (each 0 to 1, ascending); 0 of an empty sketch.

    The quantile q of n durations is the one at position floor(q (n - 1)) of their ascending order.
    """
    ranks = [math.floor(quantile * (sum(buckets.values()) - 1)) for quantile in quantiles]
    found: list[float] = []
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        while len(found) < len(ranks) and seen > ranks[len(found)]:
            found.append(_duration_of(bucket))
    return found + [0.0] * (len(ranks) - len(found))


def _duration_of(bucket: int) -> float:
    """The duration that is nearest, in proportion, to all that count in the bucket."""
    return 2 * _GAMMA ** (bucket - 1) / (_GAMMA + 1) if bucket else 0.0
