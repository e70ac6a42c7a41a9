"""That every constraint of both charts' schemas refuses something, and that no value has none."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema
import pytest

from tests.deploy import tools

pytestmark = pytest.mark.deploy

_SCHEMAS = {
    chart.name: json.loads((chart / "values.schema.json").read_text())
    for chart in (tools.CHART, tools.OBSERVABILITY)
}
_OF_TYPES = {
    "object": {},
    "array": [],
    "string": "",
    "integer": 1,
    "number": 0.5,
    "boolean": True,
    "null": None,
}
_OPEN = ("global",)
"""Helm's own."""


class Node(NamedTuple):
    """A value that a chart's schema describes; an item of a list is 0, an entry of a map `x`."""

    chart: str
    path: tuple[str | int, ...]
    schema: Mapping[str, Any]

    def __str__(self) -> str:
        """As Helm writes a place."""
        return self.chart + "".join(f"/{part}" for part in self.path)


def _nodes(node: Node) -> Iterator[Node]:
    chart, path, schema = node
    if reference := schema.get("$ref"):
        schema = _SCHEMAS[chart]["definitions"][reference.rpartition("/")[2]]
    yield Node(chart, path, schema)
    for key, inner in schema.get("properties", {}).items():
        yield from _nodes(Node(chart, (*path, key), inner))
    if inner := schema.get("items"):
        yield from _nodes(Node(chart, (*path, 0), inner))
    entries = schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()
    for inner in entries:
        if inner:
            yield from _nodes(Node(chart, (*path, "x"), inner))


def _other_type(types: str | list[str]) -> object:
    taken = {types} if isinstance(types, str) else set(types)
    if "number" in taken:
        taken.add("integer")
    return next(value for name, value in _OF_TYPES.items() if name not in taken)


# By keyword: a value that it refuses.
_BAD: Mapping[str, Callable[[Any], object]] = {
    "type": _other_type,
    "enum": lambda _: "no one of them",
    "pattern": lambda _: "a value !\n",
    "minimum": lambda least: least - 1,
    "maximum": lambda most: most + 1,
    "required": lambda _: {},
    "minItems": lambda _: [],
    "uniqueItems": lambda _: ["twice", "twice"],
    "minProperties": lambda _: {},
    "additionalProperties": lambda _: {"No such key": 1},
}
_ANNOTATIONS = {"$schema", "title", "description", "definitions"}
_STRUCTURE = {"properties", "patternProperties", "items", "$ref"}

NODES = [node for chart, schema in _SCHEMAS.items() for node in _nodes(Node(chart, (), schema))]
CASES = [
    pytest.param(node, keyword, id=f"{node} {keyword}")
    for node in NODES
    for keyword in _BAD
    if node.schema.get(keyword, {}) != {} and not isinstance(node.schema[keyword], dict)
]


@pytest.mark.parametrize(("node", "keyword"), CASES)
def test_constraint_refuses_a_value(node: Node, keyword: str) -> None:
    value = _BAD[keyword](node.schema[keyword])
    for part in reversed(node.path):
        value = [value] if part == 0 else {part: value}

    errors = jsonschema.Draft7Validator(_SCHEMAS[node.chart]).iter_errors(value)

    assert (node.path, keyword) in {(tuple(one.absolute_path), one.validator) for one in errors}


def test_every_keyword_of_the_schema_is_one_that_is_tried() -> None:
    used = {keyword for node in NODES for keyword in node.schema}

    assert used <= set(_BAD) | _ANNOTATIONS | _STRUCTURE


def test_every_object_names_its_keys_and_every_value_its_bounds() -> None:
    for node in NODES:
        kinds, own = node.schema.get("type", "enum"), set(node.schema)
        if node.path[:1] == _OPEN or node.path[-1:] == ("x",):
            continue
        if kinds == "object":
            assert "additionalProperties" in own, str(node)
        if "string" in kinds:
            assert own & {"pattern", "enum"}, str(node)
        if "integer" in kinds or "number" in kinds:
            assert "minimum" in own, str(node)
        if kinds == "enum":
            assert "enum" in own, str(node)


@pytest.mark.parametrize(
    "quantity",
    ["1Gi", "1.5Gi", "512M", "268435456", "129e6", "128974848000m", "1T", "8Ki", "1Pi", "1E"],
)
def test_memory_is_a_quantity_of_kubernetes(quantity: str) -> None:
    _take("madang", {"jobs": {"resources": {"requests": {"memory": quantity}}}})
    _take("observability", {"loki": {"resources": {"requests": {"memory": quantity}}}})


@pytest.mark.parametrize("quantity", ["250m", "1", "0.5", 1, 0.25])
def test_cpu_is_a_quantity_of_kubernetes(quantity: object) -> None:
    _take("madang", {"jobs": {"resources": {"requests": {"cpu": quantity}}}})
    _take("observability", {"loki": {"resources": {"requests": {"cpu": quantity}}}})


def _take(chart: str, values: object) -> None:
    jsonschema.validate(values, _SCHEMAS[chart])
