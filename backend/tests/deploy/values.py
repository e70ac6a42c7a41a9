"""Values by dotted paths, and the paths that values and their schema know."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
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


def leaves_of_schema(chart: Path) -> set[str]:
    """Where a single value stands, one of each list and each map too, as /egress/0/ports/0."""
    schema = yaml.safe_load((chart / "values.schema.json").read_text())
    return set(_leaves_of_schema(schema, schema))


def everywhere(paths: set[str], value: object) -> dict[str, Any]:
    """Values with the same one at each of these paths."""
    made: dict[str, Any] = {}
    for path in sorted(paths):
        place: Any = made
        keys = [int(one) if one.isdigit() else one for one in path[1:].split("/")]
        for key, following in pairwise(keys):
            place = _within(place, key, [] if isinstance(following, int) else {})
        _within(place, keys[-1], value)
    return made


def _within(place: Any, key: str | int, first: object) -> Any:
    """What is at a key of a map, or at 0 of a list, put there if there is nothing."""
    if isinstance(place, dict):
        return place.setdefault(key, first)
    if not place:
        place.append(first)
    return place[0]


def _leaves_of_schema(schema: Any, root: Any, path: str = "") -> Iterator[str]:
    if reference := schema.get("$ref"):
        schema = root["definitions"][reference.rpartition("/")[2]]
    inner = dict(schema.get("properties", {}))
    if isinstance(schema.get("additionalProperties"), dict):
        inner["any"] = schema["additionalProperties"]
    if isinstance(schema.get("items"), dict):
        inner["0"] = schema["items"]
    if not inner:
        yield path
    for key, one in inner.items():
        yield from _leaves_of_schema(one, root, f"{path}/{key}")


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
