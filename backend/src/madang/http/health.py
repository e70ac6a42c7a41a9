"""Probes: `live` answers while the process does, `ready` asks what the process depends on."""

import time
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
    latency_ms: float | None = None


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
    checks = {name: answered(dependency.check) for name, dependency in dependencies.items()}
    down = {name for name, check in checks.items() if check.status == "unavailable"}
    is_ready = not any(dependencies[name].needed for name in down)
    return Health(status="ok" if is_ready else "unavailable", checks=checks)


def answered(check: Callable[[], str | None]) -> Check:
    """Ask one dependency, and time its answer."""
    began = time.perf_counter()
    try:
        detail = check()
    except MadangError as error:
        return Check(status="unavailable", detail=error.detail)
    return Check(status="ok", detail=detail, latency_ms=_milliseconds_since(began))


def _milliseconds_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)


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
