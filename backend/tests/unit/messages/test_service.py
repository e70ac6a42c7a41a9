"""The rules of messages."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from madang.db.engine import Database
from madang.errors import ForbiddenError, NotFoundError, ValidationFailedError
from madang.http.guard import Role
from madang.http.paging import encode_cursor
from madang.messages.models import BoardEvent, MessageCreated, MessageDeleted, MessageUpdated
from madang.messages.service import MessageService
from tests.board import PASSWORD, Board

CALL_ID = UUID("019afa52-0000-7000-8000-000000000001")


def _total(board: Board) -> int:
    return board.messages.page(1).total


def test_post_answers_as_it_will_be_read(board: Board) -> None:
    kim = board.sign_up("kim")
    posted = board.messages.post(kim, "안녕하세요", CALL_ID)
    assert board.messages.get(posted.id) == posted
    assert posted.call_id == CALL_ID
    assert posted.created_at == "2030-05-17T12:00:00.123456Z"
    assert board.events == [MessageCreated(posted)]


def test_events_are_written_as_the_live_stream_sends_them(board: Board) -> None:
    posted = board.messages.post(board.sign_up("kim"), "안녕")
    board.messages.delete(board.identity(board.accounts.log_in("kim", PASSWORD).token), posted.id)
    created, deleted = (msgspec.json.decode(msgspec.json.encode(event)) for event in board.events)
    assert created["type"] == "created"
    assert set(created["message"]) == {
        "id", "body", "author", "created_at", "edited_at", "call_id",
    }  # fmt: skip
    assert deleted == {"type": "deleted", "id": posted.id}


def test_post_stands_even_if_nobody_can_be_told(database: Database) -> None:
    board = Board(database)
    kim = board.sign_up("kim")

    def fail(_event: BoardEvent) -> None:
        raise ConnectionError("nobody listens")

    deaf = MessageService(database, fail)
    assert deaf.get(deaf.post(kim, "그래도").id).body == "그래도"


def test_list_pages_newest_first(board: Board) -> None:
    kim = board.sign_up("kim")
    posted = [board.messages.post(kim, f"글 {number}").id for number in range(5)]
    first = board.messages.page(2)
    second = board.messages.page(2, first.next_cursor)
    third = board.messages.page(2, second.next_cursor)
    seen = [message.id for page in (first, second, third) for message in page.items]
    assert seen == posted[::-1]
    assert third.next_cursor is None
    assert {page.total for page in (first, second, third)} == {5}
    assert first.total_exact


def test_list_whose_last_page_is_full_ends_there(board: Board) -> None:
    kim = board.sign_up("kim")
    for number in range(2):
        board.messages.post(kim, f"글 {number}")
    assert board.messages.page(2).next_cursor is None


def test_list_is_not_shifted_by_new_messages(board: Board) -> None:
    kim = board.sign_up("kim")
    old = [board.messages.post(kim, "글").id for _ in range(4)]
    cursor = board.messages.page(2).next_cursor
    board.messages.post(kim, "새 글")
    assert [message.id for message in board.messages.page(2, cursor).items] == old[1::-1]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "한글", "x" * 5000, encode_cursor("calls", 5), encode_cursor("messages", "a"),
     encode_cursor("messages", 0), encode_cursor("messages", -1), encode_cursor("messages", 2**63)],
)  # fmt: skip
def test_list_with_a_cursor_from_nowhere_is_refused(board: Board, cursor: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        board.messages.page(10, cursor)
    assert [error.field for error in caught.value.errors] == ["cursor"]


def test_list_of_one_author_in_any_form_of_the_name(board: Board) -> None:
    kim, lee = board.sign_up("Kim"), board.sign_up("lee")
    board.messages.post(kim, "김의 글")
    board.messages.post(lee, "이의 글")
    page = board.messages.page(10, user="ＫＩＭ")
    assert [message.body for message in page.items] == ["김의 글"]
    assert (page.total, page.total_exact) == (1, True)
    assert board.messages.page(10, user="nobody").items == []


def test_list_search_within_one_author(board: Board) -> None:
    kim, lee = board.sign_up("kim"), board.sign_up("lee")
    board.messages.post(kim, "봄바람")
    board.messages.post(lee, "가을바람")
    found = board.messages.page(10, q="바람", user="lee")
    assert [message.body for message in found.items] == ["가을바람"]
    assert board.messages.page(10, q="바람", user="nobody").items == []
    assert board.messages.page(10, q="바람").total == 2


def test_hidden_message_is_not_shown(board: Board) -> None:
    posted = board.messages.post(board.sign_up("kim"), "숨길 글")
    with board.database.write() as connection:
        connection.execute(text("UPDATE messages SET hidden_at = '2030-05-17 12:00:00.000000'"))
    assert board.messages.page(10).items == []
    assert board.messages.page(10, q="숨길").items == []
    with pytest.raises(NotFoundError):
        board.messages.get(posted.id)


def test_edit_by_the_author(board: Board) -> None:
    kim = board.sign_up("kim")
    posted = board.messages.post(kim, "처음")
    board.clock.advance(minutes=1)
    edited = board.messages.edit(kim, posted.id, "나중")
    assert (edited.body, edited.edited_at) == ("나중", "2030-05-17T12:01:00.123456Z")
    assert board.messages.get(posted.id) == edited
    assert board.events[-1] == MessageUpdated(edited)
    assert board.messages.page(10, q="처음").items == []
    assert board.messages.page(10, q="나중").items == [edited]


def test_delete_by_the_author_counts_it_out(board: Board) -> None:
    kim = board.sign_up("kim")
    kept, gone = board.messages.post(kim, "남김"), board.messages.post(kim, "지움")
    board.messages.delete(kim, gone.id)
    assert board.messages.page(10).items == [kept]
    assert _total(board) == 1
    assert board.events[-1] == MessageDeleted(gone.id)
    with pytest.raises(NotFoundError):
        board.messages.delete(kim, gone.id)
    assert _total(board) == 1


def test_number_of_a_deleted_message_is_not_given_again(board: Board) -> None:
    kim = board.sign_up("kim")
    gone = board.messages.post(kim, "지움")
    board.messages.delete(kim, gone.id)
    assert board.messages.post(kim, "다음").id > gone.id


def test_another_member_may_not_change_it_and_a_moderator_may(board: Board) -> None:
    posted = board.messages.post(board.sign_up("kim"), "김의 글")
    lee = board.sign_up("lee")
    with pytest.raises(ForbiddenError):
        board.messages.edit(lee, posted.id, "이의 글")
    with pytest.raises(ForbiddenError):
        board.messages.delete(lee, posted.id)
    assert board.messages.get(posted.id).body == "김의 글"
    board.administration.set_role("lee", Role.moderator)
    moderator = board.identity(board.accounts.log_in("lee", PASSWORD).token)
    assert board.messages.edit(moderator, posted.id, "다듬은 글").author.username == "kim"
    board.messages.delete(moderator, posted.id)
    assert _total(board) == 0


def test_change_of_what_is_not_there(board: Board) -> None:
    kim = board.sign_up("kim")
    with pytest.raises(NotFoundError):
        board.messages.edit(kim, 2**63 - 1, "x")
    with pytest.raises(NotFoundError):
        board.messages.delete(kim, 1)


def test_failed_post_leaves_nothing(board: Board) -> None:
    kim = board.sign_up("kim")
    with board.database.write() as connection:
        connection.execute(text("ALTER TABLE message_counts RENAME TO elsewhere"))
    with pytest.raises(Exception, match="message_counts"):
        board.messages.post(kim, "남지 않을 글")
    with board.database.write() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO message_counts"))
    assert board.messages.page(10).items == []
    assert board.events == []


def test_longest_text_of_expanding_characters_can_be_stored(board: Board) -> None:
    body = "".join(chr(0xFB50 + number % 600) for number in range(4000))
    assert board.messages.post(board.sign_up("kim"), body).body == body


def test_many_threads_post_and_the_total_is_exact(board: Board) -> None:
    kim = board.sign_up("kim")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: board.messages.post(kim, f"글 {number}"), range(80)))
    assert _total(board) == 80
