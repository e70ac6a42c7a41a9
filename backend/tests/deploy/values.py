"""Values by dotted paths, and the paths that values and their schema know."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.manifests import Object


def nested(values: Object) -> dict[str, Any]:
    """Values by dotted paths as Helm takes them; what comes later stands over what came before."""
    made: dict[str, Any] = yaml.safe_load(
        yaml.safe_dump({key: value for key, value in values.items() if "." not in key})
    )
    for path, value in values.items():
        if "." in path:
            *folders, last = path.split(".")
            place = made
            for folder in folders:
                place = place.setdefault(folder, {})
            place[last] = value
    return made


def paths_of_values(chart: Path) -> set[str]:
    """What values.yaml documents; what resources ask for is one path."""
    return set(_paths_of(yaml.safe_load((chart / "values.yaml").read_text())))


def paths_of_schema(chart: Path) -> set[str]:
    """What values.schema.json knows, without the parts of what resources ask for."""
    schema = yaml.safe_load((chart / "values.schema.json").read_text())
    known = set(_paths_of_schema(schema, schema))
    return {path for path in known if not path.rpartition("/")[0].endswith(("requests", "limits"))}


def _paths_of(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        if path.rpartition("/")[2] in {"requests", "limits"}:
            return
        yield f"{path}/{key}"
        if isinstance(value, dict):
            yield from _paths_of(value, f"{path}/{key}")


def _paths_of_schema(schema: Any, root: Any, path: str = "") -> Iterator[str]:
    if reference := schema.get("$ref"):
        schema = root["definitions"][reference.rpartition("/")[2]]
    for key, inner in schema.get("properties", {}).items():
        yield f"{path}/{key}"
        yield from _paths_of_schema(inner, root, f"{path}/{key}")
