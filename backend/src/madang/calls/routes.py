"""`/api/logs`: the call log over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

import msgspec
from flask import Blueprint, Response
from pydantic import AwareDatetime, BaseModel, Field

from madang.calls.event import CallEvent as Event
from madang.calls.history import Filters
from madang.calls.service import CallLogService, StatisticsService, status_range
from madang.calls.statistics import By
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
    counted_at: AwareDatetime | None = Field(
        None, description="In history, of a call dated ahead: when it was received, and counted"
    )


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
    service: str | None = Field(None, max_length=64)
    endpoint: str | None = Field(None, max_length=255, description="Route template")
    method: str | None = Field(None, max_length=16)
    status: str | None = Field(None, description="A code such as 404 or a class such as 4xx")
    user: str | None = Field(None, max_length=64)
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
            service_name=self.service,
            endpoint=self.endpoint,
            method=None if self.method is None else self.method.upper(),
            lowest_status=lowest,
            highest_status=highest,
            user_id=self.user,
            begin=self.from_,
            end=self.to,
            with_log_reads=self.log_reads,
        )


class Figures(BaseModel):
    """Calls, errors (5xx), and percentiles of their duration in microseconds."""

    calls: int
    errors: int
    p50_us: float | None
    p95_us: float | None
    p99_us: float | None


class Point(Figures):
    """The calls of one step."""

    start: AwareDatetime


class Series(Figures):
    """The calls of one endpoint, user, status or service, or of all (`name` is empty)."""

    name: str
    points: list[Point] = Field(description="Steps without calls are left out")


class CallSeries(BaseModel):
    """Statistics of a period: its series with the most calls, and how many more there are."""

    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    step_seconds: int
    by: By | None
    series: list[Series]
    omitted: int


class StatisticsQuery(Input):
    """Which period, in what steps, told apart by what."""

    from_: AwareDatetime | None = Field(None, alias="from", description="A day before `to` if left")
    to: AwareDatetime | None = Field(None, description="Now if left out")
    step: str | None = Field(
        None,
        pattern=r"^[1-9]\d{0,7}[smhd]?$",
        description="As 90s, 5m, 1h or 1d; seconds without a letter. Fits the period if left out",
    )
    by: By | None = Field(None, description="By user there are no percentiles, and steps are hours")
    limit: int = Field(20, ge=1, le=200, description="Series at most")

    def step_seconds(self) -> int | None:
        """The step in seconds."""
        if self.step is None:
            return None
        if self.step.isdigit():
            return int(self.step)
        return int(self.step[:-1]) * _SECONDS[self.step[-1]]


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def statistics_blueprint(statistics: StatisticsService) -> Blueprint:
    """`/api/stats`, for everyone who is signed in."""
    blueprint = Blueprint("statistics", __name__, url_prefix="/api/stats")

    @blueprint.get("/calls")
    @operation("Calls, errors and percentiles by step", query=StatisticsQuery, answer=CallSeries)
    def get_call_statistics(query: StatisticsQuery) -> Response:
        found = statistics.calls(query.from_, query.to, query.step_seconds(), query.by, query.limit)
        return _json(found)

    return blueprint


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


def _json(answer: Mapping[str, str | Sequence[Event] | None] | msgspec.Struct) -> Response:
    """Answers are structs already, so they need no model on their way out."""
    return Response(msgspec.json.encode(answer), mimetype="application/json")
