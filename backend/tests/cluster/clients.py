"""Runs in a pod: clients that post and read without end, and print every answer as a line of JSON.

`python clients.py http://board-web`, until SIGTERM. Needs nothing but Python: it is handed to the
pod as it stands here. Some clients keep their connection, the others make one for each request.
"""

import http.client
import json
import secrets
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

CLIENTS, KEPT = 4, 2
"""How many there are, and how many of them keep their connection."""
PAUSE_SECONDS = 0.03
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """One request and what came of it: a status, or why there is none."""

    at: float
    seconds: float
    method: str
    status: int = 0
    call: str = ""
    request: str = ""
    failure: str = ""
    repeated: bool = False
    """Whether the server had just closed the connection, which was kept from the last request."""


class Client:
    """One user's connection."""

    def __init__(self, address: str, *, keeps: bool, cookie: str = "") -> None:
        self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)
        self._headers = {
            "Content-Type": "application/json",
            "Cookie": cookie,
            "Connection": "keep-alive" if keeps else "close",
        }

    def ask(self, method: str, path: str, body: object = None) -> Asked:
        """One request; never fails."""
        at, began = time.time(), time.monotonic()

        def asked(repeated: bool, status: int = 0, failure: str = "", **names: str) -> Asked:
            seconds = round(time.monotonic() - began, 4)
            return Asked(at, seconds, method, status, failure=failure, repeated=repeated, **names)

        repeated = False
        try:
            try:
                answer = self._exchange(method, path, body)
            except _ClosedWhileIdleError:
                # What browsers do: the server may close a kept connection at any time.
                repeated = True
                answer = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return asked(repeated, failure=f"{type(error).__name__}: {error}")
        call, request = (answer.getheader(name, "") for name in ("Madang-Call", "X-Request-Id"))
        return asked(repeated, answer.status, call=call, request=request)

    def register(self, account: dict[str, str]) -> str:
        """The cookie of a new account."""
        answer = self._exchange("POST", "/api/users", account)
        if answer.status != 201:
            raise SystemExit(f"POST /api/users: {answer.status} {answer.reason}")
        return answer.getheader("Set-Cookie", "").partition(";")[0]

    def _exchange(self, method: str, path: str, body: object) -> http.client.HTTPResponse:
        """An answer, read to its end."""
        is_kept = self._connection.sock is not None
        try:
            data = None if body is None else json.dumps(body)
            self._connection.request(method, path, data, self._headers)
            answer = self._connection.getresponse()
        except (BrokenPipeError, ConnectionResetError) as error:
            self._connection.close()
            raise _ClosedWhileIdleError if is_kept else error from None
        answer.read()
        return answer


class _ClosedWhileIdleError(Exception):
    """No byte of an answer came over a connection that had answered before."""


def go_on(client: Client, number: int, stop: threading.Event, asked: list[int]) -> None:
    """Ask until told to stop."""
    while not stop.wait(PAUSE_SECONDS):
        asked[number] += 1
        if asked[number] % 3:
            say(client.ask("POST", "/api/messages", {"body": f"{number}-{asked[number]}"}))
        else:
            say(client.ask("GET", "/api/messages?limit=10"))


def say(asked: Asked) -> None:
    """One line at once, so that those of several threads do not mix."""
    sys.stdout.write(json.dumps(asdict(asked)) + "\n")
    sys.stdout.flush()


def main(url: str) -> None:
    """Register, say who asks, ask until SIGTERM, and say how often that was."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    address = urlsplit(url).netloc
    account = {"username": f"load-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(24)}
    cookie = Client(address, keeps=False).register(account)
    sys.stdout.write(json.dumps({"user": account["username"]}) + "\n")
    asked = [0] * CLIENTS
    threads = [
        threading.Thread(
            target=go_on,
            args=(Client(address, keeps=number < KEPT, cookie=cookie), number, stop, asked),
        )
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps({"asked": sum(asked)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
