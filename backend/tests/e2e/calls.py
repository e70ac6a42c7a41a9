"""The Calls page, as its tests read it."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.e2e.visit import signed_in
from tests.services.waiting import wait_until

HEAL_SECONDS = 40
"""A stream that was lost is tried again at growing intervals, and history follows behind."""
HEAL_MS = 1000 * HEAL_SECONDS


def call(visitor: BrowserContext, times: int = 1) -> list[str]:
    """Call the API as this visitor; the calls' ids, oldest first."""
    answers = [visitor.request.get("/api/session") for _ in range(times)]
    return [answer.headers["madang-call"] for answer in answers]


def row(page: Page, call_id: str) -> Locator:
    return page.locator(f'tbody a[href*="call={call_id}"]')


def whole_row(page: Page, call_id: str) -> Locator:
    return page.locator(f'tbody tr:has(a[href*="call={call_id}"])')


def shown(page: Page) -> list[str]:
    """The ids of the rows, from the top."""
    links = page.locator("tbody a").evaluate_all("all => all.map((link) => link.href)")
    return [re.sub(r".*[?&]call=([0-9a-f-]+).*", r"\1", link) for link in links]


def recorded(visitor: BrowserContext, name: str) -> list[str]:
    """The ids of this visitor's calls as history has them, newest first, past every page."""
    params: dict[str, str | float | bool] = {"user": name, "log_reads": "false", "limit": "200"}
    found: list[str] = []
    while True:
        page = visitor.request.get("/api/logs/kafka", params=params).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


def watch(visitor: BrowserContext, view: str = "live") -> tuple[Page, str]:
    """A new visitor's own calls; at least one is there."""
    page, name = signed_in(visitor)
    # What history shows does not change while it is looked at.
    wait_until(lambda: bool(recorded(visitor, name)), HEAL_SECONDS, "the first call in history")
    page.goto(f"/calls/{view}?user={name}")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator("[data-state=connected]")).to_be_visible()
    return page, name
