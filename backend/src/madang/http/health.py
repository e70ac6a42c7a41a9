"""Probes: `live` answers while the process does, `ready` asks what the process depends on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Response
from pydantic import BaseModel

from madang.errors import MadangError
from madang.http.guard import public
from madang.http.operation import operation


class Check(BaseModel):
    """What one dependency answered."""

    status: Literal["ok", "unavailable"]
    detail: str | None = None


class Health(BaseModel):
    """Whether the process can do its work, and what each dependency answered."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, Check] = {}


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something a process depends on.

    `check` returns None or a remark, and raises a MadangError when the dependency is down;
    without a `needed` one the process is not ready.
    """

    check: Callable[[], str | None]
    needed: bool = True


def readiness(dependencies: Mapping[str, Dependency]) -> Health:
    """Ask every dependency."""
    status: Literal["ok", "unavailable"] = "ok"
    checks: dict[str, Check] = {}
    for name, dependency in dependencies.items():
        try:
            checks[name] = Check(status="ok", detail=dependency.check())
        except MadangError as error:
            checks[name] = Check(status="unavailable", detail=error.detail)
            if dependency.needed:
                status = "unavailable"
    return Health(status=status, checks=checks)


def health_blueprint(dependencies: Mapping[str, Dependency]) -> Blueprint:
    """`/api/health/live` and `/api/health/ready`."""
    blueprint = Blueprint("health", __name__, url_prefix="/api/health")

    @blueprint.get("/live")
    @operation("Whether the process answers", answer=Health)
    @public
    def health_live() -> Health:
        return Health(status="ok")

    @blueprint.get("/ready")
    @operation("Whether everything it needs answers", answer=Health, problems=(503,))
    @public
    def health_ready() -> Response:
        health = readiness(dependencies)
        status = 200 if health.status == "ok" else 503
        return Response(health.model_dump_json(), status, mimetype="application/json")

    return blueprint
