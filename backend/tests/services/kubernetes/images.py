"""The images that the tests of a cluster install, and where they come from."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.services.errors import ServiceError
from tests.services.nginx import REPOSITORY

_BUILD_SECONDS = 1500


@dataclass(frozen=True, slots=True)
class Images:
    """Madang's images by registry and tag, and the archives of all that a cluster needs."""

    tag: str
    registry: str = ""
    archives: Mapping[str, Path] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """What makes helm install them."""
        return ["--set", f"image.registry={self.registry}", "--set-string", f"image.tag={self.tag}"]

    @property
    def next(self) -> "Images":
        """The version after: the same, and one more migration of the database."""
        return replace(self, tag=f"{self.tag}-next")

    def reference(self, name: str) -> str:
        """One of Madang's own, as a pod names it."""
        return f"{self.registry}/{name}:{self.tag}" if self.registry else f"{name}:{self.tag}"


def built_images() -> Images:
    """Madang's own as the sources are now, and stand-ins for the stores'; built when needed.

    Raises:
        ServiceError: a build failed; with its output.
    """
    done = subprocess.run(
        [REPOSITORY / "scripts" / "build-cluster-images.sh"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_SECONDS,
    )
    if done.returncode:
        raise ServiceError(f"build-cluster-images.sh: {done.returncode}\n{done.stderr}")
    lines = [line.split() for line in done.stdout.splitlines()]
    archives = {reference: Path(archive) for reference, archive in lines}
    own = next(reference for reference in archives if "/madang:" in reference)
    return Images(own.rpartition(":")[2], archives=archives)


def published_images() -> Images:
    """Those that `MADANG_TEST_IMAGE_REGISTRY` and `MADANG_TEST_IMAGE_TAG` name.

    Raises:
        ServiceError: they are not set.
    """
    tag = os.environ.get("MADANG_TEST_IMAGE_TAG")
    if not tag:
        raise ServiceError(
            "KUBECONFIG names a cluster, which pulls Madang's images from a registry: set "
            "MADANG_TEST_IMAGE_TAG, and MADANG_TEST_IMAGE_REGISTRY unless the nodes have them"
        )
    return Images(tag, os.environ.get("MADANG_TEST_IMAGE_REGISTRY", ""))
