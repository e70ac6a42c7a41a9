from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from madang.calls import sketch
from madang.calls.event import Counted
from madang.calls.kinds import ALL_KINDS, Kind, kind_of, number_of
from madang.calls.percentiles import merged, quantiles_us
from madang.calls.tallies import CallKey, UserKey, tally
from tests.unit.calls.builders import NOON, call

QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)
durations = st.lists(st.integers(0, 10**12), min_size=1, max_size=300)


@given(durations)
def test_percentiles_are_within_one_per_cent_of_the_exact_values(values: list[int]) -> None:
    stored = sketch.to_bytes(sketch.count(values))
    (found,) = quantiles_us(merged([stored]), QUANTILES)
    for quantile, value in zip(QUANTILES, found, strict=True):
        exact = sorted(values)[int(quantile * (len(values) - 1))]
        assert abs(value - exact) <= exact * sketch.RELATIVE_ACCURACY * (1 + 1e-9)


@given(durations, durations)
def test_sketches_written_one_after_the_other_are_the_sketch_of_all(
    some: list[int], others: list[int]
) -> None:
    together = sketch.to_bytes(sketch.count(some)) + sketch.to_bytes(sketch.count(others))
    assert sketch.from_bytes(together) == sketch.count(some + others)


def test_count_that_one_entry_cannot_hold_is_kept() -> None:
    many = Counter({7: 5_000_000, 1383: 1})
    assert sketch.from_bytes(sketch.to_bytes(many)) == many


def test_longest_duration_has_a_bucket_that_fits() -> None:
    assert sketch.from_bytes(sketch.to_bytes(sketch.count([10**12]))) == {1383: 1}


@given(st.lists(durations, min_size=1, max_size=5))
def test_rows_of_merged_sketches_do_not_mix(groups: list[list[int]]) -> None:
    counts = merged([sketch.to_bytes(sketch.count(values)) for values in groups])
    for row, values in zip(counts, groups, strict=True):
        assert {bucket: count for bucket, count in enumerate(row) if count} == sketch.count(values)


def test_percentiles_of_nothing_are_zero() -> None:
    assert quantiles_us(merged([b""]), (0.5, 0.99)).tolist() == [[0.0, 0.0]]


def test_calls_are_counted_by_minute_and_hour_by_kind_and_together() -> None:
    calls = [call(0), call(59, status=503), call(61), call(61, user_id=None)]
    tallies = tally([Counted(event, number_of(kind_of(event)), None) for event in calls])
    answered = number_of(Kind("madang-api", "/api/messages", "GET", 200))
    failed = number_of(Kind("madang-api", "/api/messages", "GET", 503))
    hour = int(datetime(2030, 5, 17, 12, tzinfo=UTC).timestamp())
    found = {key: (item.calls, item.errors) for key, item in tallies.calls.items()}
    assert found == {
        CallKey(60, hour, answered): (1, 0),
        CallKey(60, hour, failed): (1, 1),
        CallKey(60, hour, ALL_KINDS): (2, 1),
        CallKey(60, hour + 60, answered): (2, 0),
        CallKey(60, hour + 60, ALL_KINDS): (2, 0),
        CallKey(3600, hour, answered): (3, 0),
        CallKey(3600, hour, failed): (1, 1),
        CallKey(3600, hour, ALL_KINDS): (4, 1),
    }
    assert {key: (item.calls, item.errors) for key, item in tallies.users.items()} == {
        UserKey(hour, "reader"): (3, 1)
    }


def test_call_dated_ahead_counts_under_its_receipt() -> None:
    tallies = tally([Counted(call(86_400), 5, NOON)])
    hour = int(datetime(2030, 5, 17, 12, tzinfo=UTC).timestamp())
    assert {key.start for key in tallies.calls} == {hour}
    assert [key.start for key in tallies.users] == [hour]
