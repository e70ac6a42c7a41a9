"""What processes say of themselves, and what the API says of all of them."""

from typing import Literal

from pydantic import BaseModel, Field

from madang.http.fields import Timestamp
from madang.http.health import Check, Health

FigureValue = int | float | str | None


class ProcessHealth(Health):
    """Whether a process can do its work, and its figures, as they were measured last."""

    measured_at: Timestamp | None = None
    figures: dict[str, FigureValue] = Field(default_factory=dict)


class Process(BaseModel):
    """A process and what it said last. `figures` are explained in the operations guide."""

    service_name: str
    instance: str
    version: str
    started_at: Timestamp
    reported_at: Timestamp
    status: Literal["ok", "unavailable"]
    checks: dict[str, Check]
    figures: dict[str, FigureValue]


class TopicEnds(BaseModel):
    """How far the topic reached: the next offset of each partition, in their order."""

    topic_id: str
    offsets: list[int]


class ProcessReport(Process):
    """What a process publishes every two seconds."""

    topic: TopicEnds | None = None


class ListedProcess(Process):
    """A process as it is listed; a silent one has not reported for more than five seconds."""

    silent: bool


class DependencyState(BaseModel):
    """A dependency, as the service `seen_by` finds it; nobody sees one that is `unknown`."""

    status: Literal["ok", "unavailable", "unknown"]
    detail: str | None = None
    latency_ms: float | None = None
    seen_by: str | None = None


class Versions(BaseModel):
    """What runs; null where it did not answer, or is not there."""

    madang: str
    python: str
    database: str | None
    redis: str | None


class SpoolSummary(BaseModel):
    """All spools together: the one of the API that answers, and those that others report."""

    spools: int
    total_bytes: int
    limit_bytes: int
    unsent_bytes: int
    oldest_unsent_at: Timestamp | None
    unrecorded: int
    refused: int
    torn: int
    unreadable: int


class RejectedEvent(BaseModel):
    """Bytes that came where a call event should be, and why they are none."""

    received_at: Timestamp
    partition: int
    position: int
    reason: str
    size_bytes: int


class HistorySummary(BaseModel):
    """How far history is.

    `lag_messages` is null where nobody says how far the topic reaches; `rejected` is counted up to
    10,000, and `rejected_exact` says whether that was the end.
    """

    lag_messages: int | None
    last_recorded_at: Timestamp | None
    lost: int
    rejected: int
    rejected_exact: bool
    newest_rejected: list[RejectedEvent]


class SystemState(BaseModel):
    """The whole system at one moment; `missing` names services of which no process reports."""

    at: Timestamp
    versions: Versions
    dependencies: dict[str, DependencyState]
    processes: list[ListedProcess]
    missing: list[str]
    spool: SpoolSummary | None
    history: HistorySummary | None
