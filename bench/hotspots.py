"""Where the time of a request goes: one worker of the API, one request after the other.

Runs a worker's WSGI application without its server, over a durable MariaDB and Redis, with its call
log and telemetry, and samples its stack. Without other requests there is no waiting for the
interpreter's lock or for a connection, so this is the price of a request, not its latency.
"""

import argparse
import io
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from redis import Redis as RedisClient

from madang.bootstrap import api_worker
from madang.calls import history, kinds
from madang.calls.event import CallEvent, Counted, new_call_id
from madang.calls.kinds import kind_of, number_of
from madang.clock import utc_now
from madang.db.engine import Database
from measure import BENCH
from measure.samples import Samples
from measure.stand import Stand, account, otlp_receiver, services
from measure.tables import put_between_marks, table
from tests.services.stack import Stack
from tests.services.workspace import temporary_directory

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_WARM_UP_CALLS = 200
_SMALLEST_SHARE = 0.015
_HISTORY_CALLS = 100
_BODY = '{"body":"쿠버네티스에 마당을 올렸습니다. 파드 세 개가 모두 Ready 상태입니다."}'.encode()

CASES = (
    ("POST", "/api/messages", "", _BODY),
    ("GET", "/api/messages", "limit=10", b""),
    ("GET", "/api/logs/kafka", "", b""),
)


@dataclass(frozen=True, slots=True)
class Price:
    """What one request costs, and the shares of its parts."""

    name: str
    wall_us: float
    cpu_us: float
    statements: float
    redis_commands: float
    parts: list[tuple[str, float]]


class Worker:
    """The API's application, called as its server would call it."""

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self.cookie = ""

    def call(self, method: str, path: str, query: str, body: bytes) -> dict[str, str]:
        """Answer one request; its headers.

        Raises:
            RuntimeError: the answer is above 399.
        """
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_COOKIE": self.cookie,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        answer: dict[str, str] = {}

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            answer.update(headers)
            if status >= "4":
                raise RuntimeError(f"{method} {path}: {status}")

        for _ in self._application(environ, start):
            pass
        return answer


def prices(seconds: float) -> list[Price]:
    """Price each case for this long.

    Raises:
        EOFError: the worker failed; it has said why.
    """
    with (
        temporary_directory() as directory,
        services(directory) as stand,
        otlp_receiver(directory / "otlp") as (_, endpoint),
    ):
        telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        stack = Stack(directory / "worker", stand.dependencies, environment=telemetry)
        stack.directory.mkdir()
        stack.run("migrate")
        fill_history(stand.dependencies.database_url)
        forking = multiprocessing.get_context("fork")
        receiving, sending = forking.Pipe(duplex=False)
        process = forking.Process(target=_work, args=(sending, stand, stack.environment, seconds))
        process.start()
        sending.close()
        try:
            found: list[Price] = receiving.recv()
        finally:
            process.join()
    return found


def _work(
    sending: Connection, stand: Stand, environment: Mapping[str, str], seconds: float
) -> None:
    """In a process of its own, as a worker is, so that it also ends as one; its lines are lost."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    os.environ.update(environment)
    worker = Worker(api_worker())
    answer = worker.call("POST", "/api/users", "", account())
    worker.cookie = answer["Set-Cookie"].partition(";")[0]
    sending.send([_price(stand, worker, case, seconds) for case in CASES])


def fill_history(database_url: str) -> None:
    """Record enough calls for a full page of history and the look at the next."""
    database = Database(database_url, pool_size=1)
    began = utc_now()
    moments = [began + timedelta(milliseconds=number) for number in range(_HISTORY_CALLS)]
    events = [a_call(moment) for moment in moments]
    with database.write() as connection:
        kinds.add(connection, {kind_of(event) for event in events})
        history.add(
            connection, [Counted(event, number_of(kind_of(event)), None) for event in events]
        )
    database.close()


def a_call(moment: datetime) -> CallEvent:
    """A call as the recorder would get it."""
    return CallEvent(
        id=new_call_id(moment),
        timestamp=moment,
        service_name="madang-api",
        instance="bench",
        method="GET",
        endpoint="/api/messages",
        path="/api/messages",
        status=200,
        duration_us=1234,
        user_id="bench",
        trace_id=uuid4().hex,
        message="GET /api/messages 200 in 1.2 ms by bench",
    )


def _price(
    stand: Stand, worker: Worker, request: tuple[str, str, str, bytes], seconds: float
) -> Price:
    for _ in range(_WARM_UP_CALLS):
        worker.call(*request)
    asked, commanded = _questions(stand), _commands(stand)
    calls, samples = 0, Samples()
    began, cpu_began = time.perf_counter(), time.thread_time()
    with samples.taken():
        while time.perf_counter() - began < seconds:
            worker.call(*request)
            calls += 1
    wall, cpu = time.perf_counter() - began, time.thread_time() - cpu_began
    method, path, query, _ = request
    return Price(
        f"{method} {path}{'?' if query else ''}{query}",
        wall / calls * 1e6,
        cpu / calls * 1e6,
        (_questions(stand) - asked) / calls,
        (_commands(stand) - commanded) / calls,
        samples.shares(),
    )


def _questions(stand: Stand) -> int:
    with stand.mariadb.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
        row = cursor.fetchone()
    return int(row[1]) if row else 0


def _commands(stand: Stand) -> int:
    with RedisClient.from_url(stand.redis.address) as client:
        return int(client.info("stats")["total_commands_processed"])


def report(found: list[Price]) -> str:
    """The prices as Markdown."""
    totals = table(
        ("one request alone", "µs", "of it processor", "SQL statements", "Redis commands"),
        (
            [
                f"`{price.name}`",
                f"{price.wall_us:,.0f}",
                f"{price.cpu_us:,.0f}",
                f"{price.statements:.1f}",
                f"{price.redis_commands:.1f}",
            ]
            for price in found
        ),
    )
    shares = [dict(price.parts) for price in found]
    known = {part for each in shares for part in each}
    parts = sorted(known, key=lambda part: -_most(shares, part))
    rows = []
    for part in parts:
        if _most(shares, part) >= _SMALLEST_SHARE:
            pairs = zip(shares, found, strict=True)
            rows.append([part, *(f"{each.get(part, 0) * p.cpu_us:,.0f}" for each, p in pairs)])
    return f"{totals}\n{table(('processor µs in', *(f'`{p.name}`' for p in found)), rows)}"


def _most(shares: list[dict[str, float]], part: str) -> float:
    return max(each.get(part, 0) for each in shares)


def main() -> None:
    """Price and show, or publish in README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="for each request")
    parser.add_argument("--publish", action="store_true", help="write the tables into README.md")
    given = parser.parse_args()
    text = report(prices(given.seconds))
    print(text)
    if given.publish:
        put_between_marks(BENCH / "README.md", "hotspots", text)


if __name__ == "__main__":
    main()
