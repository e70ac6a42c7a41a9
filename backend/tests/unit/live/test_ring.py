"""The ring of the newest events."""

from hypothesis import given
from hypothesis import strategies as st

from madang.live.ring import Ring


def filled(count: int, capacity: int) -> Ring:
    ring = Ring(capacity)
    ring.reset("start")
    for number in range(count):
        ring.add(f"c{number}", str(number).encode())
    return ring


def since(ring: Ring, cursor: str) -> list[bytes] | None:
    after = ring.ordinal_of(cursor)
    return None if after is None else ring.between(after, ring.newest)


@given(count=st.integers(0, 30), capacity=st.integers(1, 10))
def test_ring_gives_all_after_a_cursor_or_admits_that_some_are_gone(
    count: int, capacity: int
) -> None:
    ring = filled(count, capacity)

    for number in range(-1, count):
        expected = [str(later).encode() for later in range(number + 1, count)]
        found = since(ring, "start" if number < 0 else f"c{number}")
        assert found == (expected if len(expected) <= capacity else None)


def test_ring_does_not_know_cursors_of_others() -> None:
    assert since(filled(3, 10), "c7") is None
    assert since(filled(3, 10), "") is None


def test_ring_keeps_no_more_than_its_capacity() -> None:
    ring = filled(100, 10)

    assert ring.between(89, 100) is None
    assert ring.between(90, 100) == [str(number).encode() for number in range(90, 100)]
    assert ring.cursor == "c99"


def test_ring_started_anew_knows_nothing_from_before() -> None:
    ring = filled(5, 10)

    ring.reset("n2", [("n1", b"1"), ("n2", b"2")])

    assert since(ring, "c4") is None
    assert since(ring, "n1") == [b"2"]
    assert since(ring, "n2") == []
    assert ring.between(3, ring.newest) is None


def test_ring_counts_on_when_it_is_started_anew_empty() -> None:
    ring = filled(5, 10)

    ring.reset("later")
    ring.add("next", b"6")

    assert since(ring, "later") == [b"6"]
    assert ring.newest == 6
