from collections.abc import Mapping

import pytest

from madang.calls.standstill import LONGEST_SECONDS, LOOK_SECONDS, Standstill
from madang.errors import DatabaseUnavailableError


class Recorders:
    """What waits in the topic, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waiting: Mapping[int, int] = {}
        self.asked = 0
        self.standstill = Standstill(lambda: self.now)

    def look(self, after: float = LOOK_SECONDS) -> Mapping[int, int]:
        self.now += after
        return self.standstill.found(self._answer)

    def _answer(self) -> Mapping[int, int]:
        self.asked += 1
        return self.waiting


@pytest.fixture
def recorders() -> Recorders:
    return Recorders()


def test_what_waits_at_two_looks_stands_still(recorders: Recorders) -> None:
    recorders.waiting = {0: 7, 2: 40}
    assert recorders.look() == {}
    recorders.waiting = {0: 7, 2: 41}
    assert recorders.look() == {0: 7}


def test_what_moves_or_is_recorded_or_not_known_does_not(recorders: Recorders) -> None:
    for waiting in ({0: 7}, {0: 8}, {}, {0: 8}, {1: 8}):
        recorders.waiting = waiting
        assert recorders.look() == {}


def test_between_two_looks_nobody_is_asked(recorders: Recorders) -> None:
    recorders.waiting = {0: 7}
    for _ in range(14):
        assert recorders.look(after=1) == {}
    assert recorders.asked == 0
    recorders.look(after=1)
    assert recorders.asked == 1


def test_recorder_that_records_does_not_look(recorders: Recorders) -> None:
    recorders.waiting = {0: 7}
    for _ in range(100):
        assert recorders.look(after=1) == {}
        recorders.standstill.progressed()
    assert recorders.asked == 0


def test_new_partitions_get_time_from_when_they_were_given(recorders: Recorders) -> None:
    recorders.waiting = {0: 7}
    assert recorders.look() == {}
    recorders.now += LOOK_SECONDS - 1
    recorders.standstill.begin()
    assert recorders.look(after=1) == {}
    assert recorders.look() == {}
    assert recorders.look() == {0: 7}


def test_each_standstill_is_looked_for_less_often_until_something_is_recorded(
    recorders: Recorders,
) -> None:
    recorders.waiting = {0: 7}

    def seconds_to_the_next() -> float:
        began = recorders.now
        recorders.standstill.begin()
        while not recorders.look(after=1):
            pass
        return recorders.now - began

    assert [seconds_to_the_next() for _ in range(3)] == [30, 60, 120]
    assert [seconds_to_the_next() for _ in range(4)][-1] == 2 * LONGEST_SECONDS
    recorders.standstill.progressed()
    assert seconds_to_the_next() == 30


def test_look_that_is_not_answered_is_raised_and_not_repeated_at_once(
    recorders: Recorders,
) -> None:
    def unanswered() -> Mapping[int, int]:
        raise DatabaseUnavailableError("away")

    recorders.now += LOOK_SECONDS
    with pytest.raises(DatabaseUnavailableError):
        recorders.standstill.found(unanswered)
    assert recorders.look(after=1) == {}
    assert recorders.asked == 0
