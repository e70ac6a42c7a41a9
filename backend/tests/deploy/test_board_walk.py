"""What `helm test` does on a busy board, and where a log does not get its call."""

import importlib.util
import json
import urllib.error
from email.message import Message
from types import ModuleType
from typing import Any

import pytest

from tests.deploy import tools

pytestmark = pytest.mark.deploy

CALL = "018f0000-0000-7000-8000-000000000001"
BUSY = 400
"""Calls that came after the walk's own, before it looks."""


class BusyBoard:
    """Answers as the board does, and keeps what it was asked."""

    def __init__(self, walk: ModuleType, recorded_at_look: int) -> None:
        self.asked: list[str] = []
        self._finds = walk.Board.finds
        self._recorded_at_look = recorded_at_look

    def finds(self, log: str, call: str) -> bool:
        """As the walk's own board."""
        return bool(self._finds(self, log, call))

    def ask(self, method: str, path: str, body: object = None) -> tuple[bytes, Any]:
        """The body and the headers of an answer."""
        self.asked.append(f"{method} {path}")
        if path == "/":
            return b"<title>", {}
        if path.startswith("/api/logs/redis"):
            limit = int(path.partition("limit=")[2])
            newest = [*({"id": f"other-{number}"} for number in range(BUSY)), {"id": CALL}]
            return json.dumps({"items": newest[:limit]}).encode(), {}
        if path == f"/api/logs/kafka/{CALL}":
            if self.asked.count(f"{method} {path}") < self._recorded_at_look:
                raise urllib.error.HTTPError(path, 404, "Not Found", Message(), None)
            return json.dumps({"id": CALL}).encode(), {}
        return b'{"id": 7}', {"Madang-Call": CALL}


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, which waits for nothing but its deadline."""
    path = tools.CHART / "files" / "board_test.py"
    spec = importlib.util.spec_from_file_location("board_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


def test_walk_finds_its_call_among_many_newer_ones(walk: ModuleType) -> None:
    board = BusyBoard(walk, recorded_at_look=3)

    walk.walk(board)

    assert board.asked[-2:] == ["DELETE /api/messages/7", "DELETE /api/users/me"]
    assert board.asked.count(f"GET /api/logs/kafka/{CALL}") == 3


def test_walk_removes_what_it_made_where_its_call_does_not_arrive(
    walk: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "WAIT_SECONDS", 0.01)
    board = BusyBoard(walk, recorded_at_look=10**9)

    with pytest.raises(TimeoutError, match=f"/api/logs/kafka does not hold the call {CALL}"):
        walk.walk(board)

    assert board.asked[-2:] == ["DELETE /api/messages/7", "DELETE /api/users/me"]
