"""`/api/admin/system`: the state of the whole system, for administrators."""

from flask import Blueprint

from madang.http.guard import Role, requires
from madang.http.operation import operation
from madang.system.models import SystemState
from madang.system.service import SystemService


def system_blueprint(system: SystemService) -> Blueprint:
    """`GET /api/admin/system`."""
    blueprint = Blueprint("system", __name__, url_prefix="/api/admin")

    @blueprint.get("/system")
    @operation("The state of the system", answer=SystemState, problems=(403,))
    @requires(Role.admin)
    def get_system() -> SystemState:
        return system.state()

    return blueprint
