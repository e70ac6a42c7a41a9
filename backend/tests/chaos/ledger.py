"""Clients that keep asking and note every answer, and the comparison with history, id by id."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

import httpx
from sqlalchemy import create_engine, text

from tests.services.errors import ServiceError
from tests.services.waiting import wait_until

CLIENTS = 4
PASSWORD = "correct horse battery"
CATCH_UP_SECONDS = 40.0


class Ledger:
    """What was answered, by the identifier of its call event, and how long it took."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.answered: list[UUID] = []
        self.unrecorded = 0
        self.statuses: Counter[int] = Counter()
        self.seconds: list[tuple[float, float]] = []
        self._cookie = self._register()

    @contextmanager
    def clients(self) -> Iterator[None]:
        """Posting and reading from several connections, inside the block."""
        threads = [
            threading.Thread(target=self._ask, args=[number], name=f"client-{number}")
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def wait_for_answers(self, more: int, seconds: float = 30) -> None:
        """Wait until this many more calls have been answered."""
        wanted = len(self.answered) + more
        wait_until(lambda: len(self.answered) >= wanted, seconds, f"{more} more answers")

    def p99_seconds(self, begin: float, end: float) -> float:
        """The 99th percentile of the answers between two moments of `time.monotonic`."""
        taken = sorted(took for at, took in self.seconds if begin <= at < end)
        return taken[int(len(taken) * 0.99)] if taken else 0.0

    def _register(self) -> str:
        with httpx.Client(base_url=self._url, timeout=20) as client:
            credentials = {"username": "chaos-client", "password": PASSWORD}
            answer = client.post("/api/users", json=credentials)
            answer.raise_for_status()
            self._note(answer, 0.0)
            return f"madang_session={client.cookies['madang_session']}"

    def _ask(self, number: int) -> None:
        headers = {"Cookie": self._cookie}
        asked = 0
        while not self._stop.is_set():
            with httpx.Client(base_url=self._url, headers=headers, timeout=20) as client:
                try:
                    while not self._stop.is_set():
                        asked += 1
                        self._ask_once(client, f"{number}-{asked}", asked)
                except httpx.TransportError:
                    self._stop.wait(0.05)  # no answer, so nothing that history must have

    def _ask_once(self, client: httpx.Client, body: str, asked: int) -> None:
        began = time.monotonic()
        if asked % 3:
            answer = client.post("/api/messages", json={"body": body})
        else:
            answer = client.get("/api/messages?limit=10")
        self._note(answer, time.monotonic() - began)

    def _note(self, answer: httpx.Response, took: float) -> None:
        call_id = answer.headers.get("Madang-Call")
        with self._lock:
            self.statuses[answer.status_code] += 1
            self.seconds.append((time.monotonic(), took))
            if call_id is not None:
                self.answered.append(UUID(call_id))
            elif answer.headers.get("X-Request-Id") and answer.status_code != 502:
                self.unrecorded += 1


class HistoryRows:
    """What the database holds, read past the application."""

    def __init__(self, database_url: str) -> None:
        self._engine = create_engine(database_url.replace("mariadb://", "mariadb+pymysql://", 1))

    def ids(self) -> list[UUID]:
        """Every call in history."""
        return [UUID(bytes=row[0]) for row in self._rows("SELECT id FROM calls")]

    def counted(self, step_seconds: int) -> int:
        """How many calls the statistics of this step count."""
        rows = self._rows(
            "SELECT COALESCE(SUM(calls), 0) FROM call_statistics "
            f"WHERE step_seconds = {step_seconds:d}"
        )
        return int(rows[0][0])

    def close(self) -> None:
        """Let go of the connection."""
        self._engine.dispose()

    def _rows(self, statement: str) -> Sequence[tuple[bytes]]:
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]


def differences(answered: Iterable[UUID], recorded: Iterable[UUID]) -> list[str]:
    """What is wrong between the ledger and history, naming each call."""
    counts = Counter(recorded)
    missing = [
        f"{call_id} was answered and is missing" for call_id in answered if not counts[call_id]
    ]
    doubled = [
        f"{call_id} is there {count} times" for call_id, count in counts.items() if count > 1
    ]
    return missing + doubled


def assert_whole(ledger: Ledger, history: HistoryRows) -> None:
    """Wait until history has caught up, then compare id by id and statistics with rows."""
    answered = set(ledger.answered)
    assert len(answered) == len(ledger.answered), "an identifier was given twice"
    with suppress(ServiceError):  # the comparison below says which calls were waited for in vain
        wait_until(lambda: answered <= set(history.ids()), CATCH_UP_SECONDS, "history")
    ids = history.ids()
    assert differences(answered, ids) == []
    assert history.counted(60) == history.counted(3600) == len(ids)
    assert ledger.unrecorded == 0
