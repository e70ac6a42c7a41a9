"""The main job over HTTP, embedded and through MariaDB, Redis, Kafka and nginx alike."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.services.stack import Embedded, Stack
from tests.services.waiting import wait_until

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module", params=["embedded", "services"])
def base_url(request: pytest.FixtureRequest) -> str:
    running: Embedded | Stack = request.getfixturevalue(
        "embedded" if request.param == "embedded" else "stack"
    )
    return running.url


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    """A browser's cookie jar with a new account in it."""
    with httpx.Client(base_url=base_url, timeout=10) as made:
        name = f"tester-{uuid4().hex[:8]}"
        answer = made.post("/api/users", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        made.headers["X-Test-Name"] = name
        yield made


def call_ids(client: httpx.Client, path: str) -> list[str]:
    answer = client.get(path, params={"limit": 200})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_posted_message_is_the_newest_and_counted(client: httpx.Client) -> None:
    before = client.get("/api/messages").json()["total"]
    posted = client.post("/api/messages", json={"body": "마당에 첫 글"})
    assert posted.status_code == 201
    assert client.get(posted.headers["Location"]).json() == posted.json()
    page = client.get("/api/messages?limit=10").json()
    assert page["items"][0] == posted.json()
    assert page["total"] == before + 1


def test_paging_reaches_every_message_once(client: httpx.Client) -> None:
    posted = [
        client.post("/api/messages", json={"body": f"글 {n}"}).json()["id"] for n in range(25)
    ]
    found: list[int] = []
    params: dict[str, str | int] = {"limit": 10, "user": client.headers["X-Test-Name"]}
    for expected in (10, 10, 5):
        page = client.get("/api/messages", params=params).json()
        assert len(page["items"]) == expected
        found += [item["id"] for item in page["items"]]
        params["cursor"] = page["next_cursor"]
    assert found == sorted(posted, reverse=True)
    assert page["next_cursor"] is None


@pytest.mark.parametrize("query", ["쿠버네티", "네", "kube", "KUBERNETES"])
def test_search_finds_korean_substrings_and_english_prefixes(
    client: httpx.Client, query: str
) -> None:
    body = f"쿠버네티스(Kubernetes) {uuid4().hex}"
    posted = client.post("/api/messages", json={"body": body}).json()["id"]
    client.post("/api/messages", json={"body": "다른 이야기"})
    page = client.get("/api/messages", params={"q": query, "limit": 1}).json()
    assert [item["id"] for item in page["items"]] == [posted]


def test_own_calls_reach_both_logs_within_a_second_newest_first(client: httpx.Client) -> None:
    made = [
        client.post("/api/messages", json={"body": "기록"}).headers["Madang-Call"] for _ in range(3)
    ]
    for path in ("/api/logs/redis", "/api/logs/kafka"):
        wait_until(lambda path=path: set(made) <= set(call_ids(client, path)), 20, path)  # type: ignore[misc]
        ids = call_ids(client, path)
        assert [item for item in ids if item in made] == made[::-1]


def test_call_event_has_the_contract_fields(client: httpx.Client) -> None:
    answer = client.post("/api/messages", json={"body": "필드"})
    call_id = answer.headers["Madang-Call"]
    assert answer.json()["call_id"] == call_id
    wait_until(lambda: client.get(f"/api/logs/kafka/{call_id}").status_code == 200, 20, call_id)
    event = client.get(f"/api/logs/kafka/{call_id}").json()
    assert event | {"timestamp": 0, "instance": 0, "duration_us": 0, "trace_id": 0} == {
        "id": call_id,
        "timestamp": 0,
        "service_name": "madang-api",
        "instance": 0,
        "method": "POST",
        "endpoint": "/api/messages",
        "path": "/api/messages",
        "status": 201,
        "duration_us": 0,
        "user_id": client.headers["X-Test-Name"],
        "trace_id": 0,
        "message": event["message"],
        "schema": 1,
    }
    assert event["duration_us"] > 0
    assert len(event["trace_id"]) == 32


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "endpoint"),
    [
        ("GET", "/api/nowhere", b"", 404, "(unmatched)"),
        ("DELETE", "/api/messages", b"", 405, "/api/messages"),
        ("POST", "/api/messages", b"x" * 70_000, 413, "/api/messages"),
        ("POST", "/api/messages", b'{"body": ""}', 422, "/api/messages"),
        ("POST", "/api/messages", b"{", 400, "/api/messages"),
        ("GET", "/api/messages?cursor=nowhere", b"", 422, "/api/messages"),
    ],
)
def test_refused_calls_are_recorded_too(
    client: httpx.Client, method: str, path: str, content: bytes, status: int, endpoint: str
) -> None:
    headers = {"Content-Type": "application/json"} if content else {}
    answer = client.request(method, path, content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    call_id = answer.headers["Madang-Call"]
    wait_until(lambda: client.get(f"/api/logs/kafka/{call_id}").status_code == 200, 20, call_id)
    event = client.get(f"/api/logs/kafka/{call_id}").json()
    assert (event["status"], event["endpoint"], event["method"]) == (status, endpoint, method)


def test_history_filters_and_pages(client: httpx.Client) -> None:
    name = client.headers["X-Test-Name"]
    last = [client.get("/api/session").headers["Madang-Call"] for _ in range(5)][-1]
    wait_until(lambda: client.get(f"/api/logs/kafka/{last}").status_code == 200, 20, last)
    params = {"user": name, "endpoint": "/api/session", "status": "2xx", "limit": "2"}
    found: list[str] = []
    while True:
        page = client.get("/api/logs/kafka", params=params).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found, reverse=True)


def test_history_keeps_one_service(client: httpx.Client) -> None:
    answer = client.get("/api/session")
    call_id = answer.headers["Madang-Call"]
    wait_until(lambda: client.get(f"/api/logs/kafka/{call_id}").status_code == 200, 20, call_id)
    service = client.get(f"/api/logs/kafka/{call_id}").json()["service_name"]
    params = {"user": client.headers["X-Test-Name"]}
    own = client.get("/api/logs/kafka", params={**params, "service": service}).json()["items"]
    other = client.get("/api/logs/kafka", params={**params, "service": "another"}).json()["items"]
    assert call_id in {item["id"] for item in own}
    assert other == []


def test_log_out_ends_the_session(client: httpx.Client) -> None:
    token = client.cookies["madang_session"]
    assert client.delete("/api/session").status_code == 204
    again = client.get("/api/messages", headers={"Cookie": f"madang_session={token}"})
    assert (again.status_code, again.json()["code"]) == (401, "unauthenticated")


def test_health_and_description_are_open_and_not_recorded(base_url: str) -> None:
    with httpx.Client(base_url=base_url) as stranger:
        for path in ("/api/health/live", "/api/health/ready", "/api/openapi.json", "/api/docs"):
            answer = stranger.get(path)
            assert answer.status_code == 200, path
            assert "Madang-Call" not in answer.headers
        assert stranger.get("/api/messages").status_code == 401


def test_pages_are_served_and_unknown_ones_fall_back(base_url: str) -> None:
    with httpx.Client(base_url=base_url) as stranger:
        for path in ("/", "/calls/history"):
            answer = stranger.get(path)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_own_calls_are_counted_by_endpoint_and_by_user(client: httpx.Client) -> None:
    name = client.headers["X-Test-Name"]
    for _ in range(3):
        last = client.get("/api/users/me/sessions").headers["Madang-Call"]
    wait_until(lambda: client.get(f"/api/logs/kafka/{last}").status_code == 200, 20, last)
    of_users = client.get("/api/stats/calls", params={"by": "user", "limit": 200}).json()
    calls = {item["name"]: item["calls"] for item in of_users["series"]}
    assert calls[name] >= 4
    of_endpoints = client.get("/api/stats/calls?by=endpoint&step=1m").json()
    (sessions,) = (
        item for item in of_endpoints["series"] if item["name"] == "/api/users/me/sessions"
    )
    assert sessions["calls"] >= 3
    assert 0 < sessions["p50_us"] <= sessions["p95_us"] <= sessions["p99_us"]


@pytest.mark.parametrize("query", ["step=7", "step=0", "step=1w", "by=colour", "from=yesterday"])
def test_statistics_that_cannot_be_asked_name_the_field(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/api/stats/calls?{query}")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]
