"""What a user left on a board, to be asked for again after whatever happened to it."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any

import httpx

from tests.services.kubernetes.release import Release
from tests.services.waiting import wait_until

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Keepsake:
    """An account, its session, its message and the call that posted it."""

    account: dict[str, str]
    session: str
    message: dict[str, Any]
    call: str


def leave(board: Release) -> Keepsake:
    """Register, post, and wait until the post's call is in history."""
    account = {"username": f"keeper-{token_hex(4)}", "password": token_hex(16)}
    with board.forward() as url, httpx.Client(base_url=url, timeout=60) as browser:
        registered = browser.post("/api/users", json=account)
        assert registered.status_code == 201, registered.text
        posted = browser.post("/api/messages", json={"body": "남는 글, to be kept"})
        assert posted.status_code == 201, posted.text
        session = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        call = posted.headers["Madang-Call"]
        left = Keepsake(account, session, posted.json(), call)
        wait_until(lambda: _posts(browser, left) or None, _SECONDS, f"the call {call} in history")
    return left


def assert_there(board: Release, left: Keepsake) -> None:
    """Message, call (once), account and session are as they were."""
    with board.forward() as url:
        with httpx.Client(base_url=url, timeout=60, headers={"Cookie": left.session}) as browser:
            found = browser.get(f"/api/messages/{left.message['id']}")
            assert (found.status_code, found.json()) == (200, left.message), found.text
            assert _posts(browser, left) == [left.call]
        answer = httpx.post(f"{url}/api/session", json=left.account, timeout=60)
        assert answer.status_code == 200, answer.text


def _posts(browser: httpx.Client, left: Keepsake) -> list[str]:
    """The calls of history in which this user posted."""
    wanted = {"user": left.account["username"], "endpoint": "/api/messages", "method": "POST"}
    found = browser.get("/api/logs/kafka", params=wanted)
    assert found.status_code == 200, found.text
    return [item["id"] for item in found.json()["items"]]
