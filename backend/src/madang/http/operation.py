"""An API operation: what a view takes and gives, declared once for parsing and for OpenAPI."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from madang.errors import FieldError, ValidationFailedError

OPERATION = "madang_operation"

Model = TypeVar("Model", bound=BaseModel)


class Input(BaseModel):
    """What a client sends: no unknown fields, nothing guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Operation:
    """The declared shape of one view, read by `http.openapi`."""

    summary: str
    status: int
    answer: type[BaseModel] | None
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    problems: tuple[int, ...]


def operation(
    summary: str,
    *,
    answer: type[BaseModel] | None = None,
    status: int = 200,
    body: type[Input] | None = None,
    query: type[Input] | None = None,
    problems: tuple[int, ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declare a view.

    The view receives the checked models as `body=` and `query=`, and returns the answer's model,
    a pair of it and headers, None for an empty answer, or a ready Response.

    Raises (when called):
        ValidationFailedError: the body or the query does not fit; each field is named.
        BadRequest: the body is not JSON.
    """
    declared = Operation(summary, status, answer, body, query, problems)

    def decorate(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def answered(**kwargs: Any) -> Response:
            if query is not None:
                kwargs["query"] = validated(query, request.args.to_dict())
            if body is not None:
                kwargs["body"] = validated(body, request.get_json())
            return _respond(view(**kwargs), status)

        answered.__dict__[OPERATION] = declared
        return answered

    return decorate


def validated(model: type[Model], data: object) -> Model:
    """Check `data` against `model`.

    Raises:
        ValidationFailedError: names every field that does not fit.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        fields = tuple(_field_error(item) for item in details)
        named = ", ".join(dict.fromkeys(item.field for item in fields))
        raise ValidationFailedError(f"Not acceptable: {named}", errors=fields) from None


def _field_error(item: ErrorDetails) -> FieldError:
    name = ".".join(_printable(part) for part in item["loc"]) or "(body)"
    return FieldError(name, item["msg"].removeprefix("Value error, "))


def _printable(part: object) -> str:
    """A field name as the client sent it, which may hold anything, made fit to send back."""
    return str(part).encode("utf-8", "replace").decode()[:100]


def _respond(result: object, status: int) -> Response:
    headers: Mapping[str, str] = {}
    if isinstance(result, tuple):
        result, headers = result
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status=status, headers=headers)
    if not isinstance(result, BaseModel):
        raise TypeError(f"a view returned {type(result).__name__}")
    return Response(result.model_dump_json(), status, headers, mimetype="application/json")
