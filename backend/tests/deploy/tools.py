"""The programs and schemas that scripts/setup-kube.sh gets."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.services.errors import ServiceMissingError
from tests.services.kubernetes.programs import built, program

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "deploy" / "helm" / "madang"
OBSERVABILITY = ROOT / "deploy" / "helm" / "observability"


def schemas() -> Path:
    """The directory of Kubernetes' schemas.

    Raises:
        ServiceMissingError: they have not been made.
    """
    directory = built().with_name("schemas")
    if not directory.is_dir():
        raise ServiceMissingError("Kubernetes' schemas")
    return directory


def run(
    name: str,
    *arguments: str | Path,
    given: str = "",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with `given` on its standard input and these variables too."""
    return subprocess.run(
        [program(name), *arguments],
        input=given,
        env={**os.environ, **(environment or {})},
        text=True,
        capture_output=True,
        check=False,
    )


def kubeconform(directory: Path) -> subprocess.CompletedProcess[str]:
    """Hold all manifests in a directory against Kubernetes' own schemas."""
    location = f"{schemas()}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    return run("kubeconform", "-strict", "-schema-location", location, "-summary", directory)
