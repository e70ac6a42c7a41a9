"""Where the browser for the tests is."""

import os

from tests.services.process import find_program

ARGUMENTS = (
    # Chromium's own sandbox needs privileges that a container, and root, do not give it.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    # The browser itself must ask no other host for anything either.
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


def chromium() -> str:
    """The path of Chromium, or of `MADANG_CHROMIUM`.

    Raises:
        ServiceMissingError: none is installed.
    """
    chosen = os.environ.get("MADANG_CHROMIUM")
    return chosen or find_program("chromium", "chromium-browser", "google-chrome")
