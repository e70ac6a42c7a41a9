"""Messages over HTTP."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import msgspec
from flask import Blueprint, Response, request
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from madang.http.fields import Timestamp
from madang.http.guard import current_identity
from madang.http.operation import Input, operation
from madang.messages.service import MessageService
from madang.text import one_line, plain_text

LONGEST_BODY = 4_000
LONGEST_QUERY = 200

CurrentCall = Callable[[], UUID | None]

Body = Annotated[
    str,
    AfterValidator(plain_text),
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_BODY),
]
Sought = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=LONGEST_QUERY),
    AfterValidator(one_line),
]


class MessageInput(Input):
    """What a message is written with."""

    body: Body


class MessageQuery(Input):
    """Which messages to list."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    cursor: Annotated[str | None, Field(description="`next_cursor` of the page before")] = None
    q: Annotated[
        Sought | None,
        Field(description="Korean found anywhere, other words from their beginning; all must fit"),
    ] = None
    user: Annotated[Sought | None, Field(description="Only this author's")] = None


class AuthorAnswer(BaseModel):
    """Who wrote a message; `(deleted)` when the account is gone."""

    username: str
    display_name: str


class MessageAnswer(BaseModel):
    """A message; `call_id` is the call that created it."""

    id: int
    body: str
    author: AuthorAnswer
    created_at: Timestamp
    edited_at: Timestamp | None
    call_id: UUID | None


class MessageList(BaseModel):
    """Messages, newest first. Where `total_exact` is false there are at least `total`."""

    items: list[MessageAnswer]
    total: int
    total_exact: bool
    next_cursor: str | None


def call_in_environment() -> UUID | None:
    """The call event's identifier, where the call log has put one."""
    call_id = request.environ.get("madang.call_id")
    return call_id if isinstance(call_id, UUID) else None


def messages_blueprint(
    service: MessageService, current_call: CurrentCall = call_in_environment
) -> Blueprint:
    """Posting, listing, reading, editing and deleting.

    Args:
        service: the rules.
        current_call: names the call event of the current request.
    """
    blueprint = Blueprint("messages", __name__, url_prefix="/api/messages")

    @blueprint.post("")
    @operation("Post a message", body=MessageInput, answer=MessageAnswer, status=201)
    def create_message(body: MessageInput) -> Response:
        message = service.post(current_identity(), body.body, current_call())
        return _json(message, 201, {"Location": f"/api/messages/{message.id}"})

    @blueprint.get("")
    @operation("List messages, newest first", query=MessageQuery, answer=MessageList)
    def list_messages(query: MessageQuery) -> Response:
        if query.cursor is None and not query.q and not query.user:
            return Response(service.first_page(query.limit), mimetype="application/json")
        return _json(service.page(query.limit, query.cursor, query.q, query.user))

    @blueprint.get("/<id:message_id>")
    @operation("Read a message", answer=MessageAnswer, problems=(404,))
    def get_message(message_id: int) -> Response:
        return _json(service.get(message_id))

    @blueprint.patch("/<id:message_id>")
    @operation("Edit a message", body=MessageInput, answer=MessageAnswer, problems=(403, 404))
    def edit_message(message_id: int, body: MessageInput) -> Response:
        return _json(service.edit(current_identity(), message_id, body.body))

    @blueprint.delete("/<id:message_id>")
    @operation("Delete a message", status=204, problems=(403, 404))
    def delete_message(message_id: int) -> None:
        service.delete(current_identity(), message_id)

    return blueprint


def _json(
    answer: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, mimetype="application/json")
