"""`GET /api/live` keeps its promises on both boards: real processes, seen from outside."""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from redis import Redis as Client

from tests.services.redis import Redis
from tests.services.stack import Embedded, Stack
from tests.services.waiting import wait_until
from tests.unit.live.builders import Event, parse_events

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 20.0
LOAD_SECONDS = 60.0
PING_SECONDS = 15.0
SESSION_END_SECONDS = 5.0


@dataclass(slots=True)
class Stream:
    """An open stream and what came through it."""

    answer: httpx.Response
    position: str = ""
    pieces: Iterator[str] = field(init=False)
    rest: str = ""
    waiting: deque[Event] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.pieces = self.answer.iter_text()

    def next_events(self) -> list[Event]:
        """What the next bytes bring, which may be no event."""
        whole, end, self.rest = (self.rest + next(self.pieces)).rpartition("\n\n")
        events = parse_events(whole + end)
        self.position = events[-1].id or self.position if events else self.position
        return events

    def until(self, condition: Callable[[Event], object]) -> Event:
        """The first event that the condition holds for; those after it are kept for later."""
        while True:
            while self.waiting:
                if condition(event := self.waiting.popleft()):
                    return event
            self.waiting.extend(self.next_events())


@pytest.fixture(scope="module", params=["embedded", "services"])
def board(request: pytest.FixtureRequest) -> Embedded | Stack:
    """A running board of either kind."""
    running: Embedded | Stack = request.getfixturevalue(
        "embedded" if request.param == "embedded" else "stack"
    )
    return running


@pytest.fixture
def client(board: Embedded | Stack) -> Iterator[httpx.Client]:
    """Signed in as somebody new."""
    with httpx.Client(base_url=board.url, timeout=PATIENCE_SECONDS) as browser:
        name = f"listener-{random.randbytes(4).hex()}"
        account = {"username": name, "password": "correct horse battery"}
        browser.post("/api/users", json=account).raise_for_status()
        yield browser


@contextmanager
def listening(client: httpx.Client, position: str = "") -> Iterator[Stream]:
    """An open stream that goes on from `position`."""
    headers = {"Last-Event-ID": position} if position else {}
    with client.stream("GET", "/api/live", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        yield Stream(answer)


def call(client: httpx.Client) -> str:
    """Make one call; its id."""
    return client.get("/api/session").headers["Madang-Call"]


def ids_in(event: Event) -> list[str]:
    return [item["id"] for item in event.data] if event.name == "calls" else []


def has_call(call_id: str) -> Callable[[Event], bool]:
    return lambda event: call_id in ids_in(event)


def test_the_first_bytes_and_the_first_event_arrive_at_once(client: httpx.Client) -> None:
    """Who buffers holds each back until the next ping, and pings are 15 s apart."""
    with listening(client) as stream:
        began = time.monotonic()
        stream.next_events()
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        for _ in range(3):
            stream.until(has_call(call(client)))
        assert time.monotonic() - began < PING_SECONDS


def test_calls_and_messages_arrive_on_one_stream(client: httpx.Client) -> None:
    with listening(client) as stream:
        stream.next_events()
        made = client.post("/api/messages", json={"body": "모두에게"})
        wanted = {"messages": made.json()["id"], "calls": made.headers["Madang-Call"]}
        while wanted:
            event = stream.until(lambda event: event.name in wanted)
            if wanted[event.name] in [
                item.get("id") or item["message"]["id"] for item in event.data
            ]:
                del wanted[event.name]


@pytest.mark.parametrize("seed", range(3))
def test_reconnecting_at_any_moment_loses_and_repeats_nothing(
    client: httpx.Client, seed: int
) -> None:
    chance = random.Random(seed)
    received: Counter[str] = Counter()
    position = beginning(client)
    with ThreadPoolExecutor(2) as pool:
        load = [pool.submit(calls_for, client, 400) for _ in range(2)]
        end = time.monotonic() + LOAD_SECONDS
        while not all_came(load, received) and time.monotonic() < end:
            position = listen_a_while(client, position, chance.randint(1, 25), load, received)
    answered = {call_id for done in load for call_id in done.result()}
    assert answered - set(received) == set()
    assert [call_id for call_id, times in received.items() if times > 1] == []


def beginning(client: httpx.Client) -> str:
    """A position of now."""
    with listening(client) as stream:
        stream.until(has_call(call(client)))
        return stream.position


def calls_for(client: httpx.Client, times: int) -> list[str]:
    return [call(client) for _ in range(times)]


def all_came(load: list[Future[list[str]]], received: Counter[str]) -> bool:
    return all(done.done() and set(done.result()) <= set(received) for done in load)


def listen_a_while(
    client: httpx.Client,
    position: str,
    pieces: int,
    load: list[Future[list[str]]],
    received: Counter[str],
) -> str:
    """Take some pieces of a stream, then hang up wherever it is; the position to go on from."""
    with listening(client, position) as stream:
        stream.position = position
        while pieces and not all_came(load, received):
            pieces -= 1
            for event in stream.next_events():
                assert event.name in {"calls", "messages"}, event
                received.update(ids_in(event))
        return stream.position


@pytest.mark.parametrize("position", ["calls=1-1,messages=1-1", "rubbish"])
def test_an_unknown_position_is_a_gap_and_events_go_on(client: httpx.Client, position: str) -> None:
    with listening(client, position) as stream:
        gap = stream.until(lambda event: True)
        assert (gap.name, gap.data) == ("gap", {"topics": ["calls", "messages"]})
        stream.until(has_call(call(client)))


def test_a_stream_is_pinged(client: httpx.Client) -> None:
    end = time.monotonic() + PING_SECONDS + 2
    with listening(client) as stream:
        while ": ping" not in next(stream.pieces):
            assert time.monotonic() < end, "no ping in time"


def test_the_stream_of_a_session_that_is_logged_out_ends_in_time(
    client: httpx.Client, board: Embedded | Stack, redis_server: Redis
) -> None:
    call(client)
    with listening(client) as stream:
        stream.next_events()
        copies = session_copies(redis_server) if isinstance(board, Stack) else {}
        assert bool(copies) == isinstance(board, Stack)
        began = time.monotonic()
        assert client.delete("/api/session").status_code == 204
        put_back(redis_server, copies)
        end = stream.until(lambda event: event.name == "end")
        assert end.data == {"reason": "session_ended"}
        assert time.monotonic() - began < SESSION_END_SECONDS


def session_copies(server: Redis) -> dict[bytes, bytes]:
    with Client.from_url(server.url(0)) as redis:
        return {key: redis.get(key) for key in redis.keys("madang:session:*")}


def put_back(server: Redis, copies: dict[bytes, bytes]) -> None:
    """As if a process that had read the row before the log-out wrote its copy after it."""
    with Client.from_url(server.url(0)) as redis:
        for key, copy in copies.items():
            redis.set(key, copy, ex=60)


def test_other_sessions_keep_their_streams(client: httpx.Client, board: Embedded | Stack) -> None:
    with (
        httpx.Client(base_url=board.url, timeout=PATIENCE_SECONDS) as other,
        listening(client) as stream,
    ):
        account = {"username": f"guest-{random.randbytes(4).hex()}", "password": "correct horse"}
        other.post("/api/users", json=account).raise_for_status()
        with listening(other) as ending:
            other.delete("/api/session")
            ending.until(lambda event: event.name == "end")
        stream.until(has_call(call(client)))


def test_a_position_from_before_a_restart_resumes_or_is_a_gap(
    client: httpx.Client, board: Embedded | Stack
) -> None:
    position = beginning(client)
    missed = call(client)
    process = board.live if isinstance(board, Stack) else board.process
    process.kill()
    process.start()
    wait_until(lambda: stream_opens(client), PATIENCE_SECONDS, "the stream")
    with listening(client, position) as stream:
        event = stream.until(lambda event: True)
        if isinstance(board, Stack):
            assert missed in ids_in(event)
        else:
            assert (event.name, event.data["topics"]) == ("gap", ["calls", "messages"])


def stream_opens(client: httpx.Client) -> bool:
    with client.stream("GET", "/api/live") as answer:
        return answer.status_code == 200
