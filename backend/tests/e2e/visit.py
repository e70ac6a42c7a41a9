"""What most visits begin with, and what no page may have."""

from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

PASSWORD = "correct horse battery"

# Most tests visit both kinds of board; what the pages do alone is the same at either.
only_embedded = pytest.mark.parametrize("board_url", ["embedded"], indirect=True)
only_services = pytest.mark.parametrize("board_url", ["services"], indirect=True)

_AXE = Path(__file__).parents[3] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def register(visitor: BrowserContext) -> tuple[Page, str]:
    """Register by hand; the page then shows the board."""
    name = f"visitor-{uuid4().hex[:8]}"
    page = visitor.new_page()
    page.goto("/register")
    page.get_by_label("사용자 이름").fill(name)
    page.get_by_label("비밀번호", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="가입하고 시작하기").click()
    expect(page.get_by_label("새 글", exact=True)).to_be_visible()
    return page, name


def signed_in(visitor: BrowserContext) -> tuple[Page, str]:
    """Register without a page, which is quicker; the new page is empty."""
    name = f"visitor-{uuid4().hex[:8]}"
    answer = visitor.request.post("/api/users", data={"username": name, "password": PASSWORD})
    assert answer.status == 201, answer.text()
    return visitor.new_page(), name


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe finds at WCAG 2.2 AA: the rule, and the first element that breaks it."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", _STANDARDS
    )
    return [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]]


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
