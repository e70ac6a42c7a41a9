"""`helm test`: registers, posts, finds the post's call in both logs, and removes what it made."""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

WAIT_SECONDS = 60.0
"""How long a call may take to arrive in a log."""


class Board:
    """One visitor of the board, who keeps the session's cookie."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookie = ""

    def ask(self, method: str, path: str, body: object = None) -> tuple[bytes, Any]:
        """The body and the headers of an answer.

        Raises:
            urllib.error.HTTPError: it is an error.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        request = urllib.request.Request(  # noqa: S310  # the chart gives the address
            self._url + path, data, headers, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            # By hand: a cookie for https is meant for this visitor on the way inside, too.
            if given := answer.headers.get("Set-Cookie"):
                self._cookie = given.partition(";")[0]
            return answer.read(), answer.headers

    def finds(self, log: str, call: str) -> bool:
        """Whether a log holds a call; of the live one, among the newest that it gives."""
        if log == "redis":
            body, _ = self.ask("GET", "/api/logs/redis?limit=1000")
            return any(item["id"] == call for item in json.loads(body)["items"])
        try:
            self.ask("GET", f"/api/logs/{log}/{call}")
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True


def wait_for(board: Board, log: str, call: str) -> None:
    """Until a log holds a call.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not board.finds(log, call):
        if time.monotonic() > deadline:
            raise TimeoutError(f"/api/logs/{log} does not hold the call {call}")
        time.sleep(0.5)


def walk(board: Board) -> None:
    """Register, post, find the call in both logs, and remove message and account again."""
    page, _ = board.ask("GET", "/")
    if b"<title>" not in page:
        raise ValueError("GET / is not the page")
    account = {"username": f"test-{secrets.token_hex(6)}", "password": secrets.token_urlsafe(24)}
    board.ask("POST", "/api/users", account)
    say(f"registered {account['username']}")
    try:
        post(board)
    finally:
        board.ask("DELETE", "/api/users/me", {"password": account["password"]})
        say("removed")


def post(board: Board) -> None:
    """A message for as long as its call takes to be in both logs."""
    message, headers = board.ask("POST", "/api/messages", {"body": "helm test"})
    say(f"posted, call {headers['Madang-Call']}")
    try:
        for log in ("redis", "kafka"):
            wait_for(board, log, headers["Madang-Call"])
            say(f"found in /api/logs/{log}")
    finally:
        board.ask("DELETE", f"/api/messages/{json.loads(message)['id']}")


def say(text: str) -> None:
    """One line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    walk(Board(os.environ["BOARD_URL"]))
