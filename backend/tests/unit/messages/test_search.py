"""The search index's language."""

import sqlite3
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.messages.search import LONGEST_TERM, Query, encode_terms, normalize

SYLLABLES = st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
JAMO = st.characters(min_codepoint=0x3131, max_codepoint=0x3163)
KOREAN = st.text(SYLLABLES | JAMO, min_size=1, max_size=12)
WORD = st.text("abcdefghijklmnopqrstuvwxyzABCWXYZ0123456789", min_size=1, max_size=100)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    """A real FTS5 table with the migration's options."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE board USING fts5(terms, tokenize='ascii')")
    yield connection
    connection.close()


def _index_finds(index: sqlite3.Connection, text: str, query: Query) -> bool:
    index.execute("DELETE FROM board")
    index.execute("INSERT INTO board (terms) VALUES (?)", (encode_terms(text),))
    found = index.execute("SELECT 1 FROM board WHERE board MATCH ?", (query.for_fts5(),))
    return found.fetchone() is not None


def test_encode_korean_as_pairs_and_a_final_single() -> None:
    assert encode_terms("안녕") == "uc548b155 ub155"


def test_encode_words_whole_and_mixed_runs_apart() -> None:
    assert encode_terms("K8s를 배우자, Hello!") == "wwk8s ub97c ubc30c6b0 uc6b0c790 uc790 wwhello"


def test_encode_letters_beyond_ascii_by_their_code_points() -> None:
    assert encode_terms("Café") == "wwcafxe9"


def test_encode_each_term_once() -> None:
    assert encode_terms("가 가 a A") == "uac00 wwa"


def test_encode_a_single_w_is_no_stopword() -> None:
    assert encode_terms("w") == "www0"


@given(ANYTHING)
def test_encode_gives_safe_terms(text: str) -> None:
    for term in encode_terms(text).split():
        assert term.isascii()
        assert term.isalnum()
        assert 3 <= len(term) <= LONGEST_TERM


@given(ANYTHING)
def test_normalize_is_stable(text: str) -> None:
    once = normalize(unicodedata.normalize("NFKC", text))
    assert encode_terms(once) == encode_terms(normalize(once))


def test_normalize_single_jamo_stay_single() -> None:
    assert normalize("ㅋㅠㅠ ﾡ") == "ㅋㅠㅠ ㄱ"


@given(before=ANYTHING, run=KOREAN, after=ANYTHING, data=st.data())
def test_any_part_of_korean_text_is_found(
    index: sqlite3.Connection, before: str, run: str, after: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(run) - 1))
    end = data.draw(st.integers(start + 1, len(run)))
    text = f"{before} {run}.{after}"
    query = Query.parse(run[start:end])
    assert query.matches(text)
    assert _index_finds(index, text, query)


@given(before=ANYTHING, word=WORD, after=ANYTHING, data=st.data())
def test_any_beginning_of_a_word_is_found(
    index: sqlite3.Connection, before: str, word: str, after: str, data: st.DataObject
) -> None:
    beginning = word[: data.draw(st.integers(1, len(word)))]
    text = f"{before} {word}. {after}"
    query = Query.parse(beginning)
    assert query.matches(text)
    assert _index_finds(index, text, query)


@given(words=st.lists(KOREAN | WORD, min_size=1, max_size=6))
def test_a_text_finds_itself(index: sqlite3.Connection, words: list[str]) -> None:
    text = " ".join(words)
    query = Query.parse(text)
    assert query.matches(text)
    assert _index_finds(index, text, query)


@given(text=ANYTHING, sought=ANYTHING)
def test_the_index_offers_all_that_matches(
    index: sqlite3.Connection, text: str, sought: str
) -> None:
    query = Query.parse(sought)
    if query.terms and query.matches(text):
        assert _index_finds(index, text, query)


@pytest.mark.parametrize(
    ("sought", "text"),
    [
        ("hello", "Say HELLO, world"),
        ("wor hel", "hello world"),
        ("k8s를", "나는 K8s를 배운다"),
        ("c++", "C++ and Rust"),
        ("ＡＢＣ", "abcdef"),
        ("녕하 hello", "hello 안녕하세요"),
        ("日本", "在日本語"),
        ("😀", "웃음 😀"),
    ],
)
def test_query_matches(sought: str, text: str) -> None:
    assert Query.parse(sought).matches(text)


@pytest.mark.parametrize(
    ("sought", "text"),
    [
        ("ello", "hello"),
        ("녕안", "안녕"),
        ("가나다", "가나 나다"),
        ("hello 하", "hello"),
        ("abc한", "xabc한글"),
        ("c++", "c + +"),
    ],
)
def test_query_does_not_match(sought: str, text: str) -> None:
    assert not Query.parse(sought).matches(text)


def test_query_writes_both_dialects() -> None:
    query = Query.parse("녕하세 wor 요")
    assert query.for_mariadb() == "+ub155d558 +ud558c138 +wwwor* +uc694*"
    assert query.for_fts5() == '"ub155d558" AND "ud558c138" AND "wwwor"* AND "uc694"*'


def test_query_of_signs_has_no_terms() -> None:
    assert Query.parse("!? 😀").terms == ()


def test_query_asks_for_a_bounded_number_of_terms() -> None:
    assert len(Query.parse("가나다라마바사" * 100 + " a" * 100).terms) <= 32
