"""The stores of logs, traces and metrics, wherever they run, and what they are asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

_OK = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A log line as Loki has it: the labels of its stream, with what stands beside the line."""

    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stores:
    """Their URLs."""

    loki: str
    jaeger: str
    prometheus: str

    def lines(self, query: str) -> list[Line]:
        """What Loki finds, of the last hour; at most 5,000."""
        found = ask(
            self.loki,
            "/loki/api/v1/query_range",
            query=query,
            limit=5000,
            since="1h",
            direction="forward",
        )
        return [
            Line(text, {**one["stream"], **(beside[0] if beside else {})})
            for one in found["data"]["result"]
            for _, text, *beside in one["values"]
        ]

    def texts(self, query: str) -> list[str]:
        """The same without labels."""
        return [line.text for line in self.lines(query)]

    def services_of_trace(self, trace_id: str) -> set[str]:
        """The services whose spans the trace store has; none while it does not know the trace."""
        answer = httpx.get(f"{self.jaeger}/api/traces/{trace_id}", timeout=30)
        traces = answer.json()["data"] or []
        return {
            process["serviceName"] for trace in traces for process in trace["processes"].values()
        }

    def value(self, query: str) -> float | None:
        """What Prometheus answers to a query of one value, now."""
        result = ask(self.prometheus, "/api/v1/query", query=query)["data"]["result"]
        return float(result[0]["value"][1]) if result else None


def ask(url: str, path: str, **parameters: str | int) -> Any:
    """The JSON that a GET answers with.

    Raises:
        AssertionError: it is an error; with the store's words.
    """
    answer = httpx.get(f"{url}{path}", params=parameters, timeout=30)
    assert answer.status_code == _OK, answer.text
    return answer.json()
