"""Structured logs, traces and metrics of one process. Knows nothing of what they are about."""

from madang.telemetry.context import (
    bind_request_id,
    current_request_id,
    current_traceparent,
    is_sampled,
    parse_traceparent,
    traceparent_of,
)
from madang.telemetry.lines import CALL_LINE
from madang.telemetry.logs import granian_logging
from madang.telemetry.process import Figures, Telemetry, configure

__all__ = [
    "CALL_LINE",
    "Figures",
    "Telemetry",
    "bind_request_id",
    "configure",
    "current_request_id",
    "current_traceparent",
    "granian_logging",
    "is_sampled",
    "parse_traceparent",
    "traceparent_of",
]
