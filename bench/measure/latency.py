"""Latencies that can be added up: counts in buckets one per cent wide."""

import math
from collections import Counter
from collections.abc import Iterable

_WIDTH = math.log(1.01)

Buckets = dict[int, int]
"""How many latencies by bucket; bucket n ends at 1.01^n of the unit they were given in."""


def bucketed(latencies: Iterable[tuple[int, int]]) -> Buckets:
    """Sort (latency, how many) into buckets."""
    buckets: Counter[int] = Counter()
    for value, count in latencies:
        buckets[math.ceil(math.log(max(value, 1)) / _WIDTH)] += count
    return dict(sorted(buckets.items()))


def merged(several: Iterable[Buckets]) -> Buckets:
    """The buckets of several runs as those of one."""
    total: Counter[int] = Counter()
    for buckets in several:
        total.update(buckets)
    return dict(sorted(total.items()))


def percentile(buckets: Buckets, percent: float) -> float:
    """The latency that `percent` of them did not exceed, to one per cent, in their unit."""
    wanted = sum(buckets.values()) * percent / 100
    seen = 0
    for bucket, count in sorted(buckets.items()):
        seen += count
        if seen >= wanted:
            return math.exp(bucket * _WIDTH)
    return math.nan


def percentile_ms(buckets: Buckets, percent: float) -> float:
    """As `percentile`, in milliseconds, of latencies given in microseconds."""
    return percentile(buckets, percent) / 1000
