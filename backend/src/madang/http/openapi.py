"""OpenAPI 3.1 from the declared operations, and a page to read it on from our own files."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app, json
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from madang import __version__
from madang.http.guard import is_public, public
from madang.http.operation import OPERATION, Operation
from madang.http.problem import Problem

_CONVERTER = re.compile(r"<(?:([a-z]+)(?:\([^)]*\))?:)?([^<>]+)>")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Madang API</title>
<link rel="stylesheet" href="/api-docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>The description itself is at <a href="/api/openapi.json">/api/openapi.json</a>.</noscript>
<script src="/api-docs/swagger-ui-bundle.js"></script>
<script src="/api-docs/init.js"></script>
</body>
</html>
"""

References = Mapping[Any, dict[str, Any]]


def docs_blueprint() -> Blueprint:
    """`/api/openapi.json`, and `/api/docs`: Swagger UI, which the web server holds."""
    blueprint = Blueprint("docs", __name__, url_prefix="/api")

    @blueprint.get("/openapi.json")
    @public
    def specification() -> Response:
        return Response(json.dumps(describe(current_app)), mimetype="application/json")

    @blueprint.get("/docs")
    @public
    def page() -> Response:
        return Response(_PAGE, mimetype="text/html")

    return blueprint


def route_template(rule: Rule) -> str:
    """`/api/messages/<id:message_id>` as `/api/messages/{id}`."""
    return _CONVERTER.sub(lambda match: f"{{{_public_name(match[2])}}}", rule.rule)


def _public_name(variable: str) -> str:
    """What clients call a variable of a path: `id`, whatever it is the number of."""
    return "id" if variable.endswith("_id") else variable


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document of all declared operations of `app`."""
    found = list(_operations(app))
    references, definitions = models_json_schema(
        sorted(_models(found), key=lambda pair: (pair[0].__name__, pair[1])),
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Any] = {}
    for rule, method, declared, open_to_all in found:
        described = _describe_operation(app, rule, declared, references)
        if open_to_all:
            described["security"] = []
        paths.setdefault(route_template(rule), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Madang",
            "version": __version__,
            "description": "A message board that shows what each request did.",
        },
        "servers": [{"url": "/"}],
        "security": [{"session": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "madang_session"}
            },
        },
    }


def _operations(app: Flask) -> Iterator[tuple[Rule, str, Operation, bool]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        view = app.view_functions[rule.endpoint]
        declared = view.__dict__.get(OPERATION)
        if isinstance(declared, Operation):
            for method in _METHODS:
                if method in (rule.methods or ()):
                    yield rule, method, declared, is_public(view)


def _models(
    found: list[tuple[Rule, str, Operation, bool]],
) -> set[tuple[type[BaseModel], JsonSchemaMode]]:
    models: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    for _, _, declared, _ in found:
        if declared.answer is not None:
            models.add((declared.answer, "serialization"))
        if declared.body is not None:
            models.add((declared.body, "validation"))
    return models


def _describe_operation(
    app: Flask, rule: Rule, declared: Operation, references: References
) -> dict[str, Any]:
    blueprint, _, name = rule.endpoint.rpartition(".")
    described: dict[str, Any] = {
        "operationId": name,
        "summary": declared.summary,
        "tags": [app.blueprints[blueprint].name],
        "responses": _responses(declared, references),
    }
    parameters = [*_path_parameters(rule), *_query_parameters(declared.query)]
    if parameters:
        described["parameters"] = parameters
    if declared.body is not None:
        schema = references[declared.body, "validation"]
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _responses(declared: Operation, references: References) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(declared.status).phrase}
    if declared.answer is not None:
        schema = references[declared.answer, "serialization"]
        good["content"] = {"application/json": {"schema": schema}}
    problem = {
        "description": "Problem details",
        "content": {"application/problem+json": {"schema": references[Problem, "serialization"]}},
    }
    named = {str(status): problem for status in sorted(declared.problems)}
    return {str(declared.status): good, **named, "default": problem}


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for converter, name in _CONVERTER.findall(rule.rule):
        schema = {"type": "integer"} if converter in {"id", "int"} else {"type": "string"}
        yield {"name": _public_name(name), "in": "path", "required": True, "schema": schema}


def _query_parameters(query: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    if query is None:
        return
    schema = query.model_json_schema(by_alias=True)
    for name, described in schema.get("properties", {}).items():
        described.pop("title", None)
        if described.get("default", ...) is None:
            del described["default"]
        parameter: dict[str, Any] = {"name": name, "in": "query", "schema": described}
        if "description" in described:
            parameter["description"] = described.pop("description")
        if name in schema.get("required", ()):
            parameter["required"] = True
        yield parameter
