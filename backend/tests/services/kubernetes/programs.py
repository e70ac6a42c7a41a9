"""The programs that scripts/setup-kube.sh gets."""

import shutil
from pathlib import Path

from tests.services.errors import ServiceMissingError
from tests.services.workspace import cache_directory


def program(name: str) -> str:
    """Where a program is: built into the cache, or on the PATH.

    Raises:
        ServiceMissingError: neither.
    """
    found = shutil.which(name, path=built()) or shutil.which(name)
    if found is None:
        raise ServiceMissingError(name)
    return found


def built() -> Path:
    """The directory of what is built."""
    return cache_directory() / "kube" / "bin"
