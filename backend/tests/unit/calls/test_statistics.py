from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.calls import sketch
from madang.calls.event import Counted
from madang.calls.kinds import ALL_KINDS, Kind, kind_of, number_of
from madang.calls.percentiles import Percentiles, Sketches
from madang.calls.series import UNKNOWN, series_of, user_series_of
from madang.calls.statistics import Moment, Period
from madang.calls.tallies import CallKey, UserKey, tally
from tests.unit.calls.builders import NOON, call

QUANTILES = (0.0, 0.5, 0.95, 0.99, 1.0)
durations = st.lists(st.integers(0, 10**12), min_size=1, max_size=300)
slots = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), durations), max_size=12)


def close(found: Sequence[float], values: list[int]) -> bool:
    """Whether percentiles are within one per cent of the exact ones."""
    exact = [sorted(values)[int(quantile * (len(values) - 1))] for quantile in QUANTILES]
    bound = sketch.RELATIVE_ACCURACY * (1 + 1e-9)
    return all(
        abs(value - wanted) <= wanted * bound for value, wanted in zip(found, exact, strict=True)
    )


@given(slots, st.integers(0, 400))
def test_percentiles_of_slot_and_series_and_of_all_are_within_one_per_cent(
    parts: list[tuple[int, int, list[int]]], at: int
) -> None:
    """Merged in two portions, those of slots up to `at` and the others."""
    in_turn = sorted(parts, key=itemgetter(0))
    stored = [sketch.to_bytes(sketch.count(values)) for _, _, values in in_turn]
    percentiles = Percentiles(401, 4, QUANTILES)
    for _, portion in groupby(zip(in_turn, stored, strict=True), lambda item: item[0][0] > at):
        rows = list(portion)
        lengths = np.array([len(raw) for _, raw in rows], np.int64)
        percentiles.add(
            Sketches.of(b"".join(raw for _, raw in rows), lengths),
            np.array([slot for (slot, _, _), _ in rows], np.int64),
            np.array([series for (_, series, _), _ in rows], np.int64),
        )
    by_slot, of_all = percentiles.by_slot, percentiles.of_all()
    merged: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    together: defaultdict[int, list[int]] = defaultdict(list)
    for slot, series, values in in_turn:
        merged[slot, series] += values
        together[series] += values
    assert all(close(by_slot[place].tolist(), values) for place, values in merged.items())
    assert all(close(of_all[series].tolist(), values) for series, values in together.items())
    empty = np.ones(by_slot.shape[:2], bool)
    for place in merged:
        empty[place] = False
    assert not by_slot[empty].any()
    assert not of_all[[series for series in range(4) if series not in together]].any()


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


def moment(start: int, *rows: tuple[int, int, int, list[int]]) -> Moment:
    """Rows of one start: kind, calls, errors and durations."""
    stored = [sketch.to_bytes(sketch.count(values)) for *_, values in rows]
    figures = (
        f"{kind} {calls} {errors} {len(raw)}"
        for (kind, calls, errors, _), raw in zip(rows, stored, strict=True)
    )
    return Moment(start, " ".join(figures), b"".join(stored))


def test_series_merge_kinds_of_one_name_and_moments_of_one_slot() -> None:
    moments = [
        moment(0, (11, 2, 1, [5, 5]), (12, 1, 0, [900]), (13, 1, 0, [7])),
        moment(60, (11, 1, 0, [900])),
        moment(240, (12, 1, 1, [900])),
    ]
    names = {11: "a", 12: "a", 13: "b", 14: "never called"}
    period = Period(begin=0, end=360, slot_seconds=120, step_seconds=60)

    starts = ["0s", "120s", "240s"]

    portions = [moments[:2], moments[2:]]
    ((first,), count) = series_of(portions, names, period, starts, most=1)

    assert count == 2
    assert (first.name, first.calls, first.errors) == ("a", 5, 2)
    found = [(point.start, point.calls, point.errors) for point in first.points]
    assert found == [("0s", 4, 1), ("240s", 1, 1)]
    assert first.points[0].p50_us == pytest.approx(5, rel=0.01)
    assert first.points[0].p95_us == pytest.approx(900, rel=0.01)
    assert first.p50_us == pytest.approx(900, rel=0.01)
    (all_of_it, other), _ = series_of([moments], names, period, starts, most=9)
    assert all_of_it == first
    assert (other.name, other.calls) == ("b", 1)
    assert other.p99_us == pytest.approx(7, rel=0.01)


def test_series_of_kinds_that_nobody_knows_have_a_name_too() -> None:
    period = Period(begin=0, end=60, slot_seconds=60, step_seconds=60)
    portions = [[moment(0, (11, 1, 0, [5]), (12, 2, 0, [5, 5]))]]
    (known, unknown), _ = series_of(portions, {12: "a"}, period, ["0s"], most=9)
    assert (known.name, known.calls) == ("a", 2)
    assert (unknown.name, unknown.calls) == (UNKNOWN, 1)


def test_series_of_nothing_are_none() -> None:
    period = Period(begin=0, end=120, slot_seconds=60, step_seconds=60)
    assert series_of([[], []], {}, period, ["0s", "60s"], most=9) == ([], 0)
    assert user_series_of([], ["0s"]) == []


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
