"""Makes the JSON schemas that kubeconform reads, from Kubernetes' own description of its API.

`python -m tests.deploy.schemas DIRECTORY SWAGGER.json [CRD.yaml ...]` writes one file a kind,
`<kind>-<first label of the group>-<version>.json`, which refuses unknown fields. It needs no
network; scripts/setup-kube.sh calls it with the files out of the Go modules.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

_REFERENCE = "#/definitions/"
_QUANTITY = r"^[+-]?([0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
_REPLACED: Mapping[str, Schema] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["string", "number"],
        "pattern": _QUANTITY,
    },
}


def schemas_of_swagger(swagger: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The file name and the schema of each kind that the API server has of itself."""
    definitions: dict[str, Schema] = {
        name: _REPLACED.get(name) or _closed(schema)
        for name, schema in swagger["definitions"].items()
    }
    for name, schema in swagger["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            needed = {used: definitions[used] for used in _reachable(name, definitions)}
            yield (
                _file_name(kind["kind"], kind["group"], kind["version"]),
                {"$ref": _REFERENCE + name, "definitions": needed},
            )


def schemas_of_crd(resource: Mapping[str, Any]) -> Iterator[tuple[str, Schema]]:
    """The same of a CustomResourceDefinition, for each version of it."""
    spec = resource["spec"]
    for version in spec["versions"]:
        schema = _closed(version["schema"]["openAPIV3Schema"])
        yield _file_name(spec["names"]["kind"], spec["group"], version["name"]), schema


def _file_name(kind: str, group: str, version: str) -> str:
    parts = [kind, *([group.partition(".")[0]] if group else []), version]
    return f"{'-'.join(parts).lower()}.json"


def _closed(node: Any) -> Any:
    """The schema with a "no" to every field that it does not name."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    closed = {key: _closed(value) for key, value in node.items()}
    if (
        isinstance(node.get("properties"), dict)
        and "additionalProperties" not in node
        and not node.get("x-kubernetes-preserve-unknown-fields")
    ):
        closed["additionalProperties"] = False
    return closed


def _reachable(start: str, definitions: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    open_names = [start]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            open_names.extend(_references(definitions[name]))
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(reference := node.get("$ref"), str):
            yield reference.removeprefix(_REFERENCE)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def main(directory: Path, swagger: Path, crds: list[Path]) -> None:
    """Write all files into `directory`, which is made."""
    directory.mkdir(parents=True)
    made = dict(schemas_of_swagger(json.loads(swagger.read_text())))
    for crd in crds:
        made |= schemas_of_crd(yaml.safe_load(crd.read_text()))
    for name, schema in made.items():
        (directory / name).write_text(json.dumps(schema))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
