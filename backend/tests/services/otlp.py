"""A receiver of OpenTelemetry data over OTLP/HTTP, which keeps what it gets."""

import gzip
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.services.errors import ServiceError
from tests.services.waiting import wait_until


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span and the `service.name` that sent it."""

    service: str
    span: Span

    @property
    def trace_id(self) -> str:
        """As 32 hexadecimal digits."""
        return self.span.trace_id.hex()

    @property
    def linked_trace_ids(self) -> set[str]:
        """The traces it links to."""
        return {link.trace_id.hex() for link in self.span.links}


@dataclass(frozen=True, slots=True)
class ReceivedMetric:
    """A metric and the `service.name` and `service.instance.id` that sent it."""

    service: str
    instance: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class ReceivedLog:
    """A log record and the `service.name` that sent it."""

    service: str
    record: LogRecord


class OtlpReceiver:
    """What has arrived so far. Lists only grow, so they may be read while more arrives."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.spans: list[ReceivedSpan] = []
        self.metrics: list[ReceivedMetric] = []
        self.logs: list[ReceivedLog] = []

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process send everything here, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_SAMPLER": "parentbased_always_on",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }

    def wait_for_spans(
        self, wanted: Callable[[ReceivedSpan], bool], count: int = 1, seconds: float = 15
    ) -> list[ReceivedSpan]:
        """Wait until this many of the wanted spans have come, and return all of them.

        Raises:
            ServiceError: they did not come within the time; with those that did.
        """

        def found() -> list[ReceivedSpan]:
            spans = [span for span in self.spans if wanted(span)]
            return spans if len(spans) >= count else []

        try:
            return wait_until(found, seconds, f"{count} wanted spans")
        except ServiceError as error:
            there = [f"{one.service}: {one.span.name} {one.trace_id}" for one in self.spans]
            raise ServiceError(f"{error} among {there}") from None

    def take(self, path: str, body: bytes) -> bool:
        """Keep what was posted to this path; False when there is no such path."""
        takers = {
            "/v1/traces": self._take_traces,
            "/v1/metrics": self._take_metrics,
            "/v1/logs": self._take_logs,
        }
        if (taker := takers.get(path)) is None:
            return False
        taker(body)
        return True

    def _take_traces(self, body: bytes) -> None:
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _service(sent.resource)
            for scope in sent.scope_spans:
                self.spans.extend(ReceivedSpan(service, span) for span in scope.spans)

    def _take_metrics(self, body: bytes) -> None:
        for sent in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = _service(sent.resource)
            instance = str(attribute(sent.resource.attributes, "service.instance.id") or "")
            for scope in sent.scope_metrics:
                self.metrics.extend(
                    ReceivedMetric(service, instance, metric) for metric in scope.metrics
                )

    def _take_logs(self, body: bytes) -> None:
        for sent in ExportLogsServiceRequest.FromString(body).resource_logs:
            service = _service(sent.resource)
            for scope in sent.scope_logs:
                self.logs.extend(ReceivedLog(service, record) for record in scope.log_records)


def attribute(attributes: Iterable[KeyValue], key: str) -> str | int | float | bool | None:
    """The value of a plain attribute, or None."""
    for found in attributes:
        if found.key == key and (kind := found.value.WhichOneof("value")):
            value: str | int | float | bool = getattr(found.value, kind)
            return value
    return None


@contextmanager
def otlp_receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    """Receive on this port (0: any free one) until the end of the block."""
    server = _Server(("127.0.0.1", port), _Handler)
    receiver = server.receiver = OtlpReceiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="otlp", daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: OtlpReceiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        known = self.server.receiver.take(self.path, body)
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Keep the test output clean."""


def _service(resource: Resource) -> str:
    return str(attribute(resource.attributes, "service.name") or "")
