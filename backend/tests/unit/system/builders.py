"""Reports and watches for tests: say what matters, get the rest."""

from datetime import datetime
from typing import Any

from madang.system.models import ProcessReport
from tests.board import TurnedClock

NOW = TurnedClock().now


def a_report(service_name: str, *, instance: str = "one", **given: Any) -> ProcessReport:
    """A report of this moment in which all is well."""
    moment: datetime = given.pop("reported_at", NOW)
    said = {
        "version": "0.1.0",
        "started_at": moment,
        "status": "ok",
        "checks": {},
        "figures": {},
        **given,
    }
    return ProcessReport(service_name=service_name, instance=instance, reported_at=moment, **said)
