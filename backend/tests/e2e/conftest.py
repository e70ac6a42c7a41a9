"""A real browser that may ask nobody but the board for anything."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Request, expect, sync_playwright

from tests.services.chromium import ARGUMENTS, chromium
from tests.services.stack import Embedded, Stack

PATIENCE_MS = 30_000
"""How long a page may take for what it does at once: other tests have the processors, too."""
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module", params=["embedded", "services"])
def board_url(request: pytest.FixtureRequest) -> str:
    """The address of a running board, of either kind."""
    running: Embedded | Stack = request.getfixturevalue(
        "embedded" if request.param == "embedded" else "stack"
    )
    return running.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window. It ends with the file: its driver keeps an event loop running."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium(), args=list(ARGUMENTS), headless=True
        )
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser, board_url: str) -> Iterator[BrowserContext]:
    """A fresh profile, Korean; it fails the test when a page asks another host or breaks."""
    context = browser.new_context(
        base_url=board_url, locale="ko-KR", viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(PATIENCE_MS)
    host = urlsplit(board_url).netloc
    strangers: list[str] = []
    complaints: list[str] = []

    def note(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != host:
            strangers.append(request.url)

    context.on("request", note)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security" in message.text else None
        ),
    )
    yield context
    context.close()
    assert strangers == [], "the pages asked another host"
    assert complaints == []
