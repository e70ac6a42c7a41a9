"""Finding messages: the scan of the newest rows, and the index behind it."""

from madang.db.engine import Database
from madang.messages import store
from madang.messages.lookup import MOST_COUNTED, ROWS_SCANNED, Found, look_up
from madang.messages.search import Query, encode_terms
from madang.messages.store import Range
from tests.board import Board

FAR = 10 * ROWS_SCANNED


def _look(database: Database, sought: str, *, before: int | None = None, limit: int = 2) -> Found:
    with database.read() as connection:
        return look_up(connection, Query.parse(sought), Range(before), limit)


def test_lookup_small_board_is_counted_exactly(board: Board) -> None:
    board.fill({1: "봄바람", 2: "여름", 3: "바람", 4: "바람 부는 날"})
    assert _look(board.database, "바람") == Found([4, 3], 3, 3, total_exact=True)
    assert _look(board.database, "바람", before=3) == Found([1], None, 3, total_exact=True)


def test_lookup_empty_board_finds_nothing(board: Board) -> None:
    assert _look(board.database, "바람") == Found([], None, 0, total_exact=True)


def test_lookup_rare_words_come_from_the_index(board: Board) -> None:
    board.fill({1: "희귀한 w", 2: "보통", FAR: "보통"})
    for sought in ("희귀", "한", "w"):
        assert _look(board.database, sought) == Found([1], None, 1, total_exact=True)


def test_lookup_page_filled_by_the_scan_says_at_least(board: Board) -> None:
    board.fill({1: "바람", FAR: "바람", FAR + 1: "바람", FAR + 2: "바람"})
    found = _look(board.database, "바람")
    assert found == Found([FAR + 2, FAR + 1], FAR + 1, 3, total_exact=False)
    rest = _look(board.database, "바람", before=FAR + 1)
    assert (rest.numbers, rest.next_before) == ([FAR, 1], None)


def test_lookup_many_hits_are_counted_up_to_the_bound(board: Board) -> None:
    board.fill(dict.fromkeys(range(1, MOST_COUNTED + 11), "같은 말"))
    found = _look(board.database, "같은")
    assert (found.total, found.total_exact) == (MOST_COUNTED, False)


def test_lookup_pages_through_everything_once(board: Board) -> None:
    numbers = [1, 2, 3, FAR - 5, FAR, FAR + 7, 3 * FAR]
    board.fill(dict.fromkeys(numbers, "가을 하늘"))
    seen: list[int] = []
    before = None
    while True:
        found = _look(board.database, "하늘", before=before)
        seen += found.numbers
        before = found.next_before
        if before is None:
            break
    assert seen == numbers[::-1]


def test_lookup_what_the_text_refuses_does_not_count(board: Board) -> None:
    board.fill({1: "가나 나다", 2: "가나다", FAR: "끝"})
    assert _look(board.database, "가나다") == Found([2], None, 1, total_exact=True)


def test_lookup_signs_are_found_in_the_newest_rows_only(board: Board) -> None:
    board.fill({1: "옛날 😀", FAR: "오늘 😀"})
    found = _look(board.database, "😀")
    assert (found.numbers, found.total, found.total_exact) == ([FAR], 1, False)
    assert found.next_before == FAR + 1 - ROWS_SCANNED


def test_lookup_follows_edits_and_deletions(board: Board) -> None:
    board.fill({1: "처음 글", 2: "지울 글", FAR: "끝"})
    with board.database.write() as connection:
        assert store.edit(connection, 1, "고친 말", encode_terms("고친 말"), board.clock.now)
        assert store.remove(connection, 2)
    assert _look(board.database, "처음").numbers == []
    assert _look(board.database, "지울").numbers == []
    assert _look(board.database, "고친").numbers == [1]
