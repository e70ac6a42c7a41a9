"""Connects structlog and the standard library's logging to the lines of `lines`."""

import logging
import time
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from madang.telemetry.lines import CALL_LINE, write_line

SILENCE_SECONDS = 60.0
"""How long the exporters keep quiet after they have complained once."""

Render = Callable[[object, str, EventDict], bytes]

_SERVERS = ("uvicorn", "uvicorn.error", "_granian")
_ACCESS_LOGS = ("uvicorn.access", "granian.access")
_EXPORTERS = ("opentelemetry.exporter", "opentelemetry.sdk._shared_internal")


def connect_logs(render: Render, *, level: str, with_calls: bool) -> None:
    """Send every log line of this process, of our own code and of libraries, through `render`.

    Args:
        render: turns an event into the bytes of its line.
        level: debug, info, warning or error; libraries are heard from warning on.
        with_calls: whether the line of each answered call is written.
    """
    processors: list[Processor] = [render] if with_calls else [_drop_calls, render]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=StandardOutput,
        cache_logger_on_first_use=True,
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers = [Bridge(render)]
    root.setLevel(logging.INFO if least == logging.DEBUG else max(least, logging.WARNING))
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    for name in (*_SERVERS, *_ACCESS_LOGS):
        server = logging.getLogger(name)
        server.handlers = []
        server.propagate = True
        server.setLevel(least if name in _SERVERS else logging.WARNING)
    logging.captureWarnings(True)


def granian_logging() -> dict[str, Any]:
    """Granian's `log_dictconfig`, so that it does not put its own handlers back."""
    passed_on = {"handlers": [], "propagate": True}
    return {
        "handlers": {},
        "formatters": {},
        "loggers": {name: dict(passed_on) for name in ("_granian", "granian.access")},
    }


def _drop_calls(logger: object, method: str, event_dict: EventDict) -> EventDict:
    if event_dict.get("event") == CALL_LINE:
        raise structlog.DropEvent
    return event_dict


class StandardOutput:
    """The innermost structlog logger: every level writes its ready line."""

    def __init__(self, *_name: object) -> None:
        pass

    debug = info = warning = error = critical = staticmethod(write_line)


class Bridge(logging.Handler):
    """Writes the standard library's log records as lines like our own."""

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render
        self.addFilter(ExporterSilence(time.monotonic))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            event: EventDict = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            write_line(self._render(None, record.levelname.lower(), event))
        except Exception:
            self.handleError(record)


class ExporterSilence(logging.Filter):
    """Lets a telemetry exporter that cannot deliver say so once a minute, in one line."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._quiet_until: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; takes the traceback off an exporter's."""
        if not record.name.startswith("opentelemetry"):
            return True
        exports = record.name.startswith(_EXPORTERS)
        subject = "export" if exports else f"{record.name} {record.msg}"
        now = self._monotonic()
        if now < self._quiet_until.get(subject, 0.0):
            return False
        self._quiet_until[subject] = now + SILENCE_SECONDS
        if exports and record.exc_info:
            record.msg, record.args = f"{record.getMessage()} {record.exc_info[1]!r}", None
            record.exc_info = record.exc_text = None
        return True
