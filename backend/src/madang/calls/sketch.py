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
from collections.abc import Iterable, Mapping
from typing import Final

RELATIVE_ACCURACY: Final = 0.01
LONGEST: Final = 10**12
"""The longest duration that counts, in microseconds."""

GAMMA: Final = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
_PER_LOG: Final = 1 / math.log(GAMMA)
BUCKET_BITS: Final = 11
BUCKET_MASK: Final = (1 << BUCKET_BITS) - 1
_LARGEST_COUNT: Final = (1 << (32 - BUCKET_BITS)) - 1
ENTRY_BYTES: Final = 4

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
            entries.append(part << BUCKET_BITS | bucket)
            left -= part
    return struct.pack(f"<{len(entries)}I", *entries)


def from_bytes(raw: bytes) -> defaultdict[int, int]:
    """Back from entries, merging those of one bucket."""
    buckets: defaultdict[int, int] = defaultdict(int)
    for entry in struct.unpack(f"<{len(raw) // ENTRY_BYTES}I", raw):
        buckets[entry & BUCKET_MASK] += entry >> BUCKET_BITS
    return buckets
