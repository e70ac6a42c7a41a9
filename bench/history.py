"""How long a page of history and a month of statistics take over ten million calls.

Asks `GET /api/logs/kafka` of a real `madang api` with one worker, for each filter and for pairs,
with values that are common, rare, bygone and absent; the same of its service in this process; once
each with a cold buffer pool; and page after page by cursor. Then a month of `GET /api/stats/calls`.
What misses its target is shown with the database's own account of it.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec

from madang.clock import rfc3339
from measure.asking import LIMIT, Api, Service, Timing, timed
from measure.full_history import add_options, full_history
from measure.prefill import DAYS
from measure.questions import Question, questions
from measure.results import Bench, Circumstances, Measurement
from measure.stand import Stand, register, restart_cold
from measure.tables import table
from tests.services.errors import ServiceError
from tests.services.stack import Stack, http_status
from tests.services.waiting import wait_until

PAGE_WANTED_MS = 20.0
MONTH_WANTED_MS = 100.0
DEEP_PAGES = 50
HISTORY = "/api/logs/kafka"
STATISTICS = "/api/stats/calls"
DEEP = ("none", "endpoint", "user", "user, status", "status")
_STOP_SECONDS = 15
_READY_SECONDS = 60


class Page(msgspec.Struct, frozen=True):
    """One question, asked in every way."""

    filters: str
    values: str
    is_wanted: bool
    calls: int
    http: Timing
    service: Timing
    cold_ms: float | None
    plan: list[str]

    @property
    def is_quick(self) -> bool:
        """Whether it is as quick as wanted."""
        return self.http.p95_ms < PAGE_WANTED_MS


class Deep(msgspec.Struct, frozen=True):
    """Page after page of one question, to the last or to the fiftieth."""

    filters: str
    values: str
    pages: Timing


class Month(msgspec.Struct, frozen=True):
    """A month of statistics by the hour."""

    by: str
    series: int
    http: Timing


class Result(Measurement, frozen=True, kw_only=True):
    """All answers."""

    settings: dict[str, str]
    rows: int
    pages: list[Page]
    deep: list[Deep]
    months: list[Month]

    def faults(self) -> list[str]:
        """What is slower than wanted."""
        slow = [
            f"{page.filters} ({page.values}): p95 {page.http.p95_ms} ms"
            for page in self.pages
            if page.is_wanted and not page.is_quick
        ]
        return slow + [
            f"a month by hour, by {month.by}: p95 {month.http.p95_ms} ms"
            for month in self.months
            if month.http.p95_ms >= MONTH_WANTED_MS
        ]


class Asking:
    """One stand with a full history and an API on it."""

    def __init__(self, stand: Stand, stack: Stack, given: argparse.Namespace) -> None:
        self._stand = stand
        self._stack = stack
        self._requests = given.requests
        self._cold = given.cold
        self._api = Api(stack.api_port, register(stack.api_port))
        self._service = Service(stand.dependencies.database_url)
        self._begin, self._end = self._bounds()

    def pages(self) -> Iterator[Page]:
        """Every question."""
        for question in questions(self._begin, self._end):
            page = self._page(question)
            print(line(page), flush=True)
            yield page

    def deep(self) -> Iterator[Deep]:
        """Page after page of the common values."""
        for question in questions(self._begin, self._end):
            if question.filters in DEEP and question.values in {"", "common", "common, common"}:
                yield Deep(question.filters, question.values, self._pages_of(question))

    def months(self) -> Iterator[Month]:
        """Statistics of the last month of history."""
        span = {"from": rfc3339(self._end - timedelta(days=DAYS)), "to": rfc3339(self._end)}
        for by in ("", "endpoint", "status", "service", "user"):
            query = {**span, "step": "1h", **({"by": by} if by else {})}
            series = len(self._api.get(STATISTICS, query)["series"])
            answers = timed(lambda query=query: self._api.get(STATISTICS, query), self._requests)  # type: ignore[misc]  # the default binds it
            yield Month(by or "nothing", series, answers)

    def close(self) -> None:
        """Hang up."""
        self._api.close()
        self._service.close()

    def _page(self, question: Question) -> Page:
        query = {"limit": str(LIMIT), **question.query}
        cold_ms = self._ask_cold(query) if self._cold and question.is_wanted else None
        page = Page(
            question.filters,
            question.values,
            question.is_wanted,
            self._service.page(query),
            timed(lambda: self._api.get(HISTORY, query), self._requests),
            timed(lambda: self._service.page(query), self._requests),
            cold_ms,
            [],
        )
        if page.is_quick:
            return page
        return msgspec.structs.replace(page, plan=self._service.explained(query))

    def _ask_cold(self, query: dict[str, str]) -> float:
        """The first answer after the database was started."""
        self._service.close()
        self._api.close()
        restart_cold(self._stand)
        port = self._stack.api_port
        wait_until(
            lambda: http_status(port, "/api/health/ready") == HTTPStatus.OK,
            _READY_SECONDS,
            "the API to find its database again",
        )
        began = datetime.now(UTC)
        self._api.get(HISTORY, query)
        return round((datetime.now(UTC) - began) / timedelta(milliseconds=1), 2)

    def _pages_of(self, question: Question) -> Timing:
        seconds, query = [], {"limit": str(LIMIT), **question.query}
        for _ in range(DEEP_PAGES):
            began = datetime.now(UTC)
            cursor = self._api.get(HISTORY, query)["next_cursor"]
            seconds.append((datetime.now(UTC) - began).total_seconds())
            if cursor is None:
                break
            query["cursor"] = cursor
        return Timing.of(seconds)

    def _bounds(self) -> tuple[datetime, datetime]:
        with self._stand.mariadb.cursor(self._stand.database) as cursor:
            found = []
            for order in ("ASC", "DESC"):
                cursor.execute(f"SELECT timestamp FROM calls ORDER BY id {order} LIMIT 1")
                row = cursor.fetchone()
                if row is None:
                    raise ServiceError("history is empty")
                found.append(row[0].replace(tzinfo=UTC))
        return found[0], found[1]


@contextmanager
def _api(stand: Stand) -> Iterator[Stack]:
    """`madang api` with one worker."""
    stack = Stack(stand.directory / "api", stand.dependencies)
    stack.directory.mkdir()
    stack.run("migrate")
    stack.api.argv += ["--workers", "1"]
    stack.api.start()
    try:
        yield stack
    finally:
        stack.api.stop(_STOP_SECONDS)


def measure(given: argparse.Namespace) -> Result:
    """Fill history where it is not full, and ask."""
    with full_history(given) as stand:
        found = Circumstances.now(stand)
        with _api(stand) as stack:
            asking = Asking(stand, stack, given)
            months, deep, pages = list(asking.months()), list(asking.deep()), list(asking.pages())
            asking.close()
        with stand.mariadb.cursor(stand.database) as cursor:
            cursor.execute("SELECT COUNT(*) FROM calls")
            (rows,) = cursor.fetchone() or (0,)
    return Result(
        date=found.date,
        machine=found.machine,
        versions=found.versions,
        settings=found.settings,
        rows=rows,
        pages=pages,
        deep=deep,
        months=months,
    )


def line(page: Page) -> str:
    """A page in one line, for who watches; what is slow with the database's account of it."""
    told = (
        f"{page.filters:<17} {page.values:<28} {page.calls:3} calls  "
        f"p50 {page.http.p50_ms:8.1f} ms  p95 {page.http.p95_ms:8.1f}  "
        f"service {page.service.p50_ms:8.1f}  cold {page.cold_ms or 0:8.1f}"
    )
    return "\n    ".join([told, *page.plan])


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        f"{result.rows:,} calls of {DAYS} days; `madang api` with one worker, one request after "
        f"the other, {LIMIT} calls a page; milliseconds"
    )
    header = ("filter", "value", "calls", "p50", "p95", "service p50", "service p95", "cold")
    months = (
        [month.by, str(month.series), f"{month.http.p50_ms:.1f}", f"{month.http.p95_ms:.1f}"]
        for month in result.months
    )
    deep = (
        [
            each.filters,
            str(each.pages.answers),
            f"{each.pages.p50_ms:.1f}",
            f"{each.pages.p95_ms:.1f}",
        ]
        for each in result.deep
    )
    parts = [
        result.conditions(how, result.settings),
        table(header, map(_row, result.pages)),
        "Page after page by cursor, common values:\n",
        table(("filter", "pages", "p50", "p95"), deep),
        "A month of statistics by the hour:\n",
        table(("by", "series", "p50", "p95"), months),
        result.verdict(
            f"The first page takes less than {PAGE_WANTED_MS:g} ms at p95 for each single filter, "
            f"for endpoint with status and for user with time, and a month of statistics less than "
            f"{MONTH_WANTED_MS:g} ms."
        ),
    ]
    return "\n".join(parts)


def _row(page: Page) -> list[str]:
    return [
        page.filters,
        page.values,
        str(page.calls),
        f"{page.http.p50_ms:.1f}",
        f"{page.http.p95_ms:.1f}",
        f"{page.service.p50_ms:.1f}",
        f"{page.service.p95_ms:.1f}",
        "" if page.cold_ms is None else f"{page.cold_ms:.0f}",
    ]


BENCH = Bench("history", Result, report)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--requests", type=int, default=50, help="of each question")
    parser.add_argument(
        "--cold",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="also ask with an empty buffer pool",
    )
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
