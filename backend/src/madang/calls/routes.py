"""`/api/logs`: the call log over HTTP."""

from typing import Literal
from uuid import UUID

import msgspec
from flask import Blueprint, Response
from pydantic import AwareDatetime, BaseModel, Field

from madang.calls.event import CallEvent as Event
from madang.calls.history import Filters
from madang.calls.service import CallLogService, status_range
from madang.http.operation import Input, operation


class CallEvent(BaseModel):
    """One answered API call."""

    id: UUID
    timestamp: AwareDatetime
    service_name: str
    instance: str
    method: str
    endpoint: str
    path: str
    status: int
    duration_us: int
    user_id: str | None
    trace_id: str | None
    message: str
    schema_: Literal[1] = Field(alias="schema")


class RecentCallsPage(BaseModel):
    """The newest calls, from the live store."""

    items: list[CallEvent]
    source: Literal["redis", "memory"]


class CallsPage(BaseModel):
    """A page of history, newest first."""

    items: list[CallEvent]
    next_cursor: str | None


class RecentQuery(Input):
    """How many."""

    limit: int = Field(50, ge=1, le=1000)


class HistoryQuery(Input):
    """Which calls, and how many."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None
    endpoint: str | None = Field(None, max_length=255, description="Route template")
    method: str | None = Field(None, max_length=16)
    status: str | None = Field(None, description="A code such as 404 or a class such as 4xx")
    user: str | None = Field(None, max_length=64)
    service: str | None = Field(None, max_length=64)
    from_: AwareDatetime | None = Field(None, alias="from", description="First moment, RFC 3339")
    to: AwareDatetime | None = Field(None, description="First moment after, RFC 3339")
    log_reads: bool = Field(True, description="Whether reads of the log itself are listed")

    def filters(self) -> Filters:
        """As history's filters.

        Raises:
            ValidationFailedError: `status` is neither a code nor a class.
        """
        lowest, highest = status_range(self.status)
        return Filters(
            endpoint=self.endpoint,
            method=None if self.method is None else self.method.upper(),
            lowest_status=lowest,
            highest_status=highest,
            user_id=self.user,
            service_name=self.service,
            begin=self.from_,
            end=self.to,
            with_log_reads=self.log_reads,
        )


def logs_blueprint(calls: CallLogService) -> Blueprint:
    """`/api/logs/redis` and `/api/logs/kafka`, for everyone who is signed in."""
    blueprint = Blueprint("logs", __name__, url_prefix="/api/logs")

    @blueprint.get("/redis")
    @operation("The newest calls, live", query=RecentQuery, answer=RecentCallsPage, problems=(503,))
    def list_recent_calls(query: RecentQuery) -> Response:
        return _json({"items": calls.newest(query.limit), "source": calls.live_source})

    @blueprint.get("/kafka")
    @operation("The lasting log of calls", query=HistoryQuery, answer=CallsPage)
    def list_calls(query: HistoryQuery) -> Response:
        items, cursor = calls.page(query.filters(), cursor=query.cursor, limit=query.limit)
        return _json({"items": items, "next_cursor": cursor})

    @blueprint.get("/kafka/<uuid:call_id>")
    @operation("One call", answer=CallEvent, problems=(404,))
    def get_call(call_id: UUID) -> Response:
        return _json(calls.find(call_id))

    return blueprint


def _json(answer: dict[str, str | list[Event] | None] | Event) -> Response:
    """Events are structs already, so they need no model on their way out."""
    return Response(msgspec.json.encode(answer), mimetype="application/json")
