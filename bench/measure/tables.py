"""Markdown tables, and the places in pages that hold them."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def put_between_marks(page: Path, mark: str, content: str) -> bool:
    """Replace what stands between `<!-- mark:begin -->` and its end; False where they are not."""
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    text = page.read_text() if page.exists() else ""
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        return False
    page.write_text(f"{head}{begin}\n{content.strip()}\n{end}{tail}")
    return True
