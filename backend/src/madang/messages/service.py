"""The rules of messages: who may write, edit and delete, and what a list shows."""

from collections.abc import Callable
from uuid import UUID

import msgspec
import structlog

from madang.clock import Clock, rfc3339, utc_now
from madang.db.engine import Database
from madang.errors import ForbiddenError, NotFoundError, ValidationFailedError
from madang.http.guard import Identity, Role
from madang.http.paging import decode_cursor, encode_cursor
from madang.messages import store
from madang.messages.first_page import FirstPageCache
from madang.messages.lookup import MOST_COUNTED, look_up
from madang.messages.models import (
    Author,
    BoardEvent,
    Message,
    MessageCreated,
    MessageDeleted,
    MessagePage,
    MessageUpdated,
)
from madang.messages.search import Query, encode_terms
from madang.messages.store import Range
from madang.text import fold

log = structlog.get_logger(__name__)

HIGHEST_NUMBER = 2**63 - 1

_CURSOR = "messages"

Publish = Callable[[BoardEvent], None]


class MessageService:
    """Everything that happens to messages.

    A method may raise DatabaseUnavailableError, and has then changed nothing. Events are published
    after the commit; whether somebody hears them changes nothing about the write.
    """

    def __init__(
        self,
        database: Database,
        publish: Publish,
        first_pages: FirstPageCache | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._publish = publish
        self._first_pages = first_pages
        self._clock = clock

    def post(self, author: Identity, body: str, call_id: UUID | None = None) -> Message:
        """Add a message; `call_id` names the call that does it."""
        now, terms = self._clock(), encode_terms(body)
        with self._database.write() as connection:
            number = store.add(
                connection,
                user_id=author.user_id,
                body=body,
                terms=terms,
                now=now,
                call_id=call_id,
            )
        message = Message(
            number,
            body,
            Author(author.username, author.display_name),
            rfc3339(now),
            None,
            call_id,
        )
        self._tell(MessageCreated(message))
        return message

    def get(self, message_id: int) -> Message:
        """One message.

        Raises:
            NotFoundError: there is none of this number.
        """
        with self._database.read() as connection:
            found = store.find(connection, message_id)
        if found is None:
            raise _no_message(message_id)
        return found.message

    def edit(self, editor: Identity, message_id: int, body: str) -> Message:
        """Give a message another text.

        Raises:
            NotFoundError: there is none of this number.
            ForbiddenError: it is another's, and the editor is no moderator.
        """
        now, terms = self._clock(), encode_terms(body)
        with self._database.write() as connection:
            message = _changeable(store.find(connection, message_id), editor, message_id)
            if not store.edit(connection, message_id, body, terms, now):
                raise _no_message(message_id)
        edited = msgspec.structs.replace(message, body=body, edited_at=rfc3339(now))
        self._tell(MessageUpdated(edited))
        return edited

    def delete(self, editor: Identity, message_id: int) -> None:
        """Delete a message for good.

        Raises:
            NotFoundError: there is none of this number.
            ForbiddenError: it is another's, and the editor is no moderator.
        """
        with self._database.write() as connection:
            _changeable(store.find(connection, message_id), editor, message_id)
            if not store.remove(connection, message_id):
                raise _no_message(message_id)
        self._tell(MessageDeleted(message_id))

    def first_page(self, limit: int) -> bytes:
        """The newest messages as JSON of a MessagePage, from the cache when nothing was written."""
        if self._first_pages is None:
            return msgspec.json.encode(self.page(limit))
        generation, page = self._first_pages.get(limit)
        if page is None:
            page = msgspec.json.encode(self.page(limit))
            if generation is not None:
                self._first_pages.put(limit, generation, page)
        return page

    def page(
        self, limit: int, cursor: str | None = None, q: str | None = None, user: str | None = None
    ) -> MessagePage:
        """A page of the board, newest first.

        Args:
            limit: how many messages at most.
            cursor: `next_cursor` of the page before.
            q: what to look for.
            user: the username of the only author to show.

        Raises:
            ValidationFailedError: the cursor is none of this list.
        """
        before = None if cursor is None else _position(cursor)
        if q:
            return self._found(Query.parse(q), user, before, limit)
        if user:
            return self._of_author(user, before, limit)
        with self._database.read() as connection:
            messages, total = store.newest_with_total(connection, before, limit + 1)
        return _page(messages, limit, total)

    def _of_author(self, user: str, before: int | None, limit: int) -> MessagePage:
        with self._database.read() as connection:
            user_id = store.author_number(connection, fold(user))
            if user_id is None:
                return _EMPTY
            messages = store.newest(connection, Range(before, user_id=user_id), limit + 1)
            counted = store.count_up_to(connection, Range(user_id=user_id), MOST_COUNTED + 1)
        return _page(messages, limit, min(counted, MOST_COUNTED), exact=counted <= MOST_COUNTED)

    def _found(self, query: Query, user: str | None, before: int | None, limit: int) -> MessagePage:
        with self._database.read() as connection:
            user_id = store.author_number(connection, fold(user)) if user else None
            if user and user_id is None:
                return _EMPTY
            found = look_up(connection, query, Range(before, user_id=user_id), limit)
            messages = store.by_numbers(connection, found.numbers)
        cursor = None if found.next_before is None else encode_cursor(_CURSOR, found.next_before)
        return MessagePage(messages, found.total, found.total_exact, cursor)

    def _tell(self, event: BoardEvent) -> None:
        if self._first_pages is not None:
            self._first_pages.board_changed()
        try:
            self._publish(event)
        except Exception as error:
            log.warning("board_event_unpublished", reason=str(error), exc_info=error)


_EMPTY = MessagePage([], 0, total_exact=True, next_cursor=None)


def _page(messages: list[Message], limit: int, total: int, *, exact: bool = True) -> MessagePage:
    """Of one message more than the page holds, the page and the way on."""
    more = len(messages) > limit
    cursor = encode_cursor(_CURSOR, messages[limit - 1].id) if more else None
    return MessagePage(messages[:limit], total, exact, cursor)


def _position(cursor: str) -> int:
    number = decode_cursor(_CURSOR, cursor, int)
    if not 0 < number <= HIGHEST_NUMBER:
        raise ValidationFailedError.of("cursor", "is not a cursor of this list")
    return number


def _changeable(found: store.Owned | None, editor: Identity, message_id: int) -> Message:
    if found is None:
        raise _no_message(message_id)
    if found.user_id != editor.user_id and editor.role < Role.moderator:
        raise ForbiddenError("Only its author or a moderator may do this")
    return found.message


def _no_message(message_id: int) -> NotFoundError:
    return NotFoundError(f"There is no message {message_id}")
