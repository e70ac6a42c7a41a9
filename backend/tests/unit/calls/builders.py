"""Small builders for the call log's tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer

from madang.calls.event import CallEvent, new_call_id
from madang.telemetry import Telemetry

NOON = datetime(2030, 5, 17, 12, 0, 0, 123456, tzinfo=UTC)


def call(seconds_after_noon: float = 0, **changed: Any) -> CallEvent:
    """A plausible call; name only what the test is about."""
    moment = NOON + timedelta(seconds=seconds_after_noon)
    fields: dict[str, Any] = {
        "id": new_call_id(moment),
        "timestamp": moment,
        "service_name": "madang-api",
        "instance": "api-0",
        "method": "GET",
        "endpoint": "/api/messages",
        "path": "/api/messages",
        "status": 200,
        "duration_us": 1500,
        "user_id": "reader",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "message": "GET /api/messages 200 in 1.5 ms by reader",
    }
    return CallEvent(**(fields | changed))


def no_telemetry() -> Telemetry:
    """Telemetry that goes nowhere."""
    return Telemetry(NoOpTracer(), NoOpMeter("tests"))
