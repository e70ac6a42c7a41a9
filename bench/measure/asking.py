"""Asks the API over HTTP, or its service in this process, and times the answers."""

import http.client
import json
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection, event

from madang.calls.recent import MemoryRecentCalls
from madang.calls.routes import HistoryQuery
from madang.calls.service import CallLogService
from madang.db.engine import Database
from tests.services.errors import ServiceError

LIMIT = 50
_SLOW_SECONDS = 0.5
_FEW = 5
_TIMEOUT_SECONDS = 120


class Timing(msgspec.Struct, frozen=True):
    """Of some answers, one after the other."""

    answers: int
    p50_ms: float
    p95_ms: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """Exact percentiles."""
        times = sorted(seconds)
        last = times[min(len(times) - 1, round(0.95 * len(times)))]
        return cls(len(times), round(statistics.median(times) * 1000, 2), round(last * 1000, 2))


def timed(ask: Callable[[], object], times: int) -> Timing:
    """Ask so often, after once to warm up; less often where an answer takes half a second."""
    warm_up = _seconds(ask)
    return Timing.of([_seconds(ask) for _ in range(times if warm_up < _SLOW_SECONDS else _FEW)])


def _seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


class Api:
    """One connection to the API, kept open."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
        self._headers = {"Cookie": cookie}

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The answer to a GET.

        Raises:
            ServiceError: its status is not 200.
        """
        self._connection.request("GET", f"{path}?{urlencode(query)}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise ServiceError(f"{path}?{urlencode(query)}: {answer.status} {body.decode()}")
        return json.loads(body)

    def close(self) -> None:
        """Hang up; the next question connects anew."""
        self._connection.close()


class Service:
    """The service behind `GET /api/logs/kafka`, without HTTP."""

    def __init__(self, database_url: str) -> None:
        self._database = Database(database_url, pool_size=1)
        self._calls = CallLogService(self._database, MemoryRecentCalls())
        self._statements: list[tuple[str, Any]] = []
        event.listen(self._database.reads, "before_cursor_execute", self._note)

    def page(self, query: Mapping[str, str]) -> int:
        """One page; how many calls it has."""
        filters = HistoryQuery.model_validate(query).filters()
        calls, _ = self._calls.page(filters, cursor=None, limit=LIMIT)
        return len(calls)

    def explained(self, query: Mapping[str, str]) -> list[str]:
        """How the database goes about the statements of this page."""
        self._statements.clear()
        self.page(query)
        asked, lines = list(self._statements), []
        with self._database.read() as connection:
            for statement, parameters in asked:
                lines += _explain(connection, statement, parameters)
        return lines

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def _note(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        self._statements.append((statement, parameters))


def _explain(connection: Connection, statement: str, parameters: Any) -> list[str]:
    rows = connection.exec_driver_sql(f"ANALYZE {statement}", parameters).mappings()
    return [
        " ".join(f"{name}={row[name]}" for name in row if row[name] is not None) for row in rows
    ]
