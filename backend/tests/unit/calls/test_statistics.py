from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from madang.calls import sketch
from madang.calls.statistics import CallKey, UserKey, floor, tally
from tests.unit.calls.builders import NOON, call

durations = st.lists(st.integers(1, 10**9), min_size=1, max_size=300)


@given(durations, st.sampled_from([0.5, 0.95, 0.99]))
def test_percentile_is_within_one_per_cent_of_the_exact_value(
    values: list[int], quantile: float
) -> None:
    durations_us = sketch.empty()
    for value in values:
        durations_us.add(value)
    exact = sorted(values)[int(quantile * (len(values) - 1))]
    found = sketch.quantile_us(sketch.from_bytes(sketch.to_bytes(durations_us)), quantile)
    assert abs(found - exact) <= exact * sketch.RELATIVE_ACCURACY + 1


@given(durations, durations)
def test_merged_sketch_equals_the_sketch_of_all(some: list[int], others: list[int]) -> None:
    merged, part, whole = sketch.empty(), sketch.empty(), sketch.empty()
    for value in some:
        merged.add(value)
        whole.add(value)
    for value in others:
        part.add(value)
        whole.add(value)
    sketch.merge_into(merged, sketch.to_bytes(part))
    for quantile in (0.0, 0.5, 0.95, 0.99, 1.0):
        assert sketch.quantile_us(merged, quantile) == sketch.quantile_us(whole, quantile)


def test_percentiles_of_nothing_are_zero() -> None:
    assert sketch.quantile_us(sketch.empty(), 0.5) == 0


def test_calls_are_counted_by_minute_and_by_hour() -> None:
    calls = [call(0), call(59, status=503), call(61), call(61, user_id=None)]
    tallies = tally((event.timestamp, event) for event in calls)
    kind = ("madang-api", "/api/messages", "GET")
    hour = datetime(2030, 5, 17, 12, tzinfo=UTC)
    found = {key: (item.calls, item.errors) for key, item in tallies.calls.items()}
    assert found == {
        CallKey(60, hour, *kind, 200): (1, 0),
        CallKey(60, hour, *kind, 503): (1, 1),
        CallKey(60, hour + timedelta(minutes=1), *kind, 200): (2, 0),
        CallKey(3600, hour, *kind, 200): (3, 0),
        CallKey(3600, hour, *kind, 503): (1, 1),
    }
    assert {key: (item.calls, item.errors) for key, item in tallies.users.items()} == {
        UserKey(hour, "reader"): (3, 1)
    }


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([60, 300, 3600, 86400]))
def test_floor_is_the_last_step_that_began(moment: datetime, step: int) -> None:
    start = floor(moment, step)
    assert start <= moment < start + timedelta(seconds=step)
    assert (start - start.replace(hour=0, minute=0, second=0)).total_seconds() % step == 0


def test_steps_of_a_day_follow_each_other() -> None:
    starts = [floor(NOON + timedelta(minutes=number), 300) for number in range(0, 60, 5)]
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(minutes=5)}
