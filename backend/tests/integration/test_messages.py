"""Messages on real MariaDB, with the first page in real Redis."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis as Client
from sqlalchemy import text

from madang.accounts.sessions import NoSessionCache
from madang.cache import CacheRedis
from madang.db.engine import Database
from madang.messages import store
from madang.messages.first_page import PAGE_SECONDS, FirstPageCache
from madang.messages.lookup import ROWS_SCANNED
from madang.messages.search import Query
from madang.messages.store import Range
from tests.board import Board

pytestmark = pytest.mark.integration

FAR = 10 * ROWS_SCANNED
SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
WORDS = st.text(SYLLABLES, min_size=1, max_size=6) | st.text("abwz019é", min_size=1, max_size=6)


@pytest.fixture
def board(board_database: Database) -> Board:
    return Board(board_database)


@pytest.fixture
def cached(board_database: Database, redis_url: str) -> Iterator[Board]:
    redis = CacheRedis.from_url(redis_url)
    yield Board(board_database, cache=NoSessionCache(), first_pages=FirstPageCache(redis))
    redis.close()


def _bodies(board: Board, sought: str) -> list[str]:
    return [message.body for message in board.messages.page(10, q=sought).items]


def test_post_is_read_as_it_was_answered(board: Board) -> None:
    posted = board.messages.post(board.sign_up("하늘"), "안녕 😀\n둘째 줄")
    assert board.messages.get(posted.id) == posted
    assert board.messages.page(10).items == [posted]


def test_edit_and_delete(board: Board) -> None:
    kim = board.sign_up("kim")
    posted = board.messages.post(kim, "처음")
    edited = board.messages.edit(kim, posted.id, "나중")
    assert board.messages.get(posted.id) == edited
    assert (_bodies(board, "처음"), _bodies(board, "나중")) == ([], ["나중"])
    board.messages.delete(kim, posted.id)
    assert board.messages.page(10).total == 0


def test_many_threads_post_and_delete_and_the_total_is_exact(board: Board) -> None:
    kim = board.sign_up("kim")

    def post(number: int) -> None:
        posted = board.messages.post(kim, f"글 {number}")
        if number % 3 == 0:
            board.messages.delete(kim, posted.id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(post, range(120)))
    assert board.messages.page(1).total == 80
    with board.database.read() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM messages")).scalar() == 80


def test_index_finds_every_part_of_korean_and_every_beginning_of_a_word(board: Board) -> None:
    board.fill({1: "대한민국만세 hello wonder w K8s를 일, 가", FAR: "끝"})
    for sought in ("대", "한민", "국만세", "세", "대한민국만세", "h", "hel", "hello", "w", "won",
                   "k8s", "k8s를", "를", "일", "가", "만세 wonder", "w 일"):  # fmt: skip
        assert (sought, len(_bodies(board, sought))) == (sought, 1)
    for sought in ("ello", "민한", "세만", "hellos", "wx", "국세"):
        assert (sought, _bodies(board, sought)) == (sought, [])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(WORDS, min_size=1, max_size=4), data=st.data())
def test_index_offers_what_the_text_holds(
    board: Board, words: list[str], data: st.DataObject
) -> None:
    with board.database.write() as connection:
        connection.execute(text("DELETE FROM messages"))
        connection.execute(text("DELETE FROM sessions"))
        connection.execute(text("DELETE FROM users"))
    body = " ".join(words)
    board.fill({1: body})
    word = data.draw(st.sampled_from(words))
    query = Query.parse(word[: data.draw(st.integers(1, len(word)))])
    with board.database.read() as connection:
        assert store.ask_index(connection, query, Range(), 10) == [(1, body)]


def test_search_takes_signs_of_the_index_language_as_text(board: Board) -> None:
    board.fill({1: 'a +b -c "d" (e) ~f *g >h <i @j 100% _k', FAR: "끝"})
    for sought in ('"d"', "(e)", "+b -c", "100%", "*g", "~f", "@j", ">h <i", "_k"):
        assert (sought, len(_bodies(board, sought))) == (sought, 1)
    for sought in ("+", "-", '"', "*", "()", "@", "+-", "%", "\\"):
        board.messages.page(10, q=sought)


def test_longest_texts_of_expanding_characters_are_stored(board: Board) -> None:
    kim = board.sign_up("kim")
    for body in ("😀" * 4000, "가" * 4000, "".join(chr(0xFB50 + n % 600) for n in range(4000)),
                 "".join(chr(0x4E00 + n * 5) for n in range(4000))):  # fmt: skip
        assert board.messages.get(board.messages.post(kim, body).id).body == body


def test_list_starts_from_the_newest_rows(board: Board) -> None:
    """However few authors and however many messages: no sorting, no temporary table."""
    board.fill(dict.fromkeys(range(1, 3001), "글"))
    query = Range().of(store._shown()).limit(11)
    question = query.compile(board.database.reads, compile_kwargs={"literal_binds": True})
    with board.database.read() as connection:
        plan = connection.execute(text(f"EXPLAIN {question}")).mappings().all()
    assert [row["table"] for row in plan] == ["messages", "users"]
    assert not any("filesort" in (row["Extra"] or "") for row in plan)


def test_first_page_is_cached_and_ends_with_a_write(cached: Board, redis_url: str) -> None:
    kim = cached.sign_up("kim")
    first = cached.messages.first_page(10)
    with Client.from_url(redis_url) as client:
        assert 0 < client.pttl("madang:board:first:10") <= PAGE_SECONDS * 1000
    with cached.database.write() as connection:
        connection.execute(text("UPDATE message_counts SET total = 7 WHERE shard = 0"))
    assert cached.messages.first_page(10) == first
    posted = cached.messages.post(kim, "새 글")
    fresh = json.loads(cached.messages.first_page(10))
    assert fresh["total"] == 8
    assert fresh["items"] == [json.loads(msgspec.json.encode(posted))]
    cached.messages.edit(kim, posted.id, "고친 글")
    assert json.loads(cached.messages.first_page(10))["items"][0]["body"] == "고친 글"
    cached.messages.delete(kim, posted.id)
    assert json.loads(cached.messages.first_page(10))["items"] == []
