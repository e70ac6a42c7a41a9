"""What axe finds wrong with a page at WCAG 2.2 AA."""

from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parents[3] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def violations(page: Page) -> list[tuple[str, str]]:
    """Each rule that is broken, and the first element that breaks it."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", _STANDARDS
    )
    return [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]]
