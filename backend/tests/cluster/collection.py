"""What the chart observability deploys, as processes: its own files, on other ports and folders.

Jaeger stands in for Tempo, which cannot be built here; both take OTLP.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.stores import Stores
from tests.deploy.observability import FILES, file, rendered
from tests.services.kubernetes import programs
from tests.services.ports import free_port
from tests.services.process import Process
from tests.services.stack import clean_environment, http_status

_READY_SECONDS = 90
_OK = 200


@dataclass(frozen=True, slots=True)
class Store:
    """A running store; `url` is where it is asked, `otlp` where it is sent to."""

    process: Process
    url: str
    otlp: str


class Collection:
    """Loki, Jaeger, Prometheus, and the collector as gateway and as agent before them."""

    def __init__(self, directory: Path, pods: Path, namespaces: Sequence[str]) -> None:
        """Describe them; nothing runs yet.

        Args:
            directory: for their data; made when missing.
            pods: what the agent reads, laid out as /var/log/pods.
            namespaces: those whose logs it reads.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.loki = _loki(directory / "loki")
        self.jaeger = _jaeger(directory / "jaeger")
        self.prometheus = _prometheus(directory / "prometheus")
        self.stores = Stores(self.loki.url, self.jaeger.url, self.prometheus.url)
        self.otlp_port = free_port()
        self.gateway = _gateway(directory / "gateway", self)
        self.agent = _agent(directory / "agent", self.otlp_port, pods, namespaces)

    @contextmanager
    def running(self) -> Iterator["Collection"]:
        """Run until the end of the block."""
        stores = [one.process for one in (self.loki, self.jaeger, self.prometheus)]
        with ExitStack() as ends:
            for process in (*stores, self.gateway, self.agent):
                ends.callback(process.stop)
            for process in stores:
                process.spawn()
            for process in stores:
                process.wait_ready()
            self.gateway.start()
            self.agent.start()
            yield self


def _loki(directory: Path) -> Store:
    port = free_port()
    configuration = _moved("loki.yaml", {"/loki": directory / "data"}, directory)
    process = _process(
        "loki",
        [
            *("-config.file", configuration, "-config.expand-env=true"),
            *("-server.http-listen-port", port, "-server.grpc-listen-port", free_port()),
        ],
        directory,
        (port, "/ready"),
    )
    url = f"http://127.0.0.1:{port}"
    return Store(process, url, f"{url}/otlp")


def _prometheus(directory: Path) -> Store:
    port = free_port()
    configuration = _moved("prometheus.yaml", {}, directory)
    shutil.copy(file("alerts.yaml"), directory)
    process = _process(
        "prometheus",
        [
            f"--config.file={configuration}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-otlp-receiver",
        ],
        directory,
        (port, "/-/ready"),
    )
    url = f"http://127.0.0.1:{port}"
    return Store(process, url, f"{url}/api/v1/otlp")


def _jaeger(directory: Path) -> Store:
    port, otlp, admin = free_port(), free_port(), free_port()
    listening = {
        "query.http-server": port,
        "query.grpc-server": free_port(),
        "admin.http": admin,
        "collector.otlp.http": otlp,
        "collector.otlp.grpc": free_port(),
        "collector.http-server": free_port(),
        "collector.grpc-server": free_port(),
    }
    arguments = [f"--{name}.host-port=127.0.0.1:{number}" for name, number in listening.items()]
    directory.mkdir(parents=True, exist_ok=True)
    process = _process("jaeger", arguments, directory, (admin, "/"))
    return Store(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{otlp}")


def _gateway(directory: Path, collection: Collection) -> Process:
    stores = {
        "LOKI": collection.loki,
        "TEMPO": collection.jaeger,
        "PROMETHEUS": collection.prometheus,
    }
    protocols = "receivers::otlp::protocols"
    return _collector(
        "gateway",
        directory,
        {f"{name}_OTLP": store.otlp for name, store in stores.items()},
        {
            f"{protocols}::http::endpoint": f"127.0.0.1:{collection.otlp_port}",
            f"{protocols}::grpc::endpoint": f"127.0.0.1:{free_port()}",
        },
    )


def _agent(directory: Path, otlp_port: int, pods: Path, namespaces: Sequence[str]) -> Process:
    notes = directory / "notes"
    notes.mkdir(parents=True)
    patterns = [f"{pods}/{name}_*/*/{ending}" for name in namespaces for ending in _log_files()]
    return _collector(
        "agent",
        directory,
        {
            "LOG_FILES": yaml.safe_dump(patterns, default_flow_style=True, width=10_000).strip(),
            "GATEWAY_OTLP": f"http://127.0.0.1:{otlp_port}",
        },
        {"extensions::file_storage::directory": str(notes)},
    )


def _log_files() -> list[str]:
    """The endings of what the chart's agent reads in the directory of a container."""
    container = rendered("nothing").pod("agent").container("agent")
    given = next(one["value"] for one in container["env"] if one["name"] == "LOG_FILES")
    return [path.rpartition("/")[2] for path in yaml.safe_load(given)]


def _collector(
    component: str, directory: Path, environment: Mapping[str, str], instead: Mapping[str, str]
) -> Process:
    """The collector with the arguments and the file of the chart, and these settings instead."""
    health = free_port()
    settings = {**instead, "extensions::health_check::endpoint": f"127.0.0.1:{health}"}
    (container,) = rendered("nothing").pod(component).containers
    arguments = [argument.replace("/etc/otelcol", str(FILES)) for argument in container["args"]]
    arguments += [f"--config=yaml:{name}: {value}" for name, value in settings.items()]
    directory.mkdir(parents=True, exist_ok=True)
    return _process("otelcol", arguments, directory, (health, "/"), environment)


def _process(
    program: str,
    arguments: Sequence[object],
    directory: Path,
    probe: tuple[int, str],
    environment: Mapping[str, str] | None = None,
) -> Process:
    return Process(
        program,
        [programs.program(program), *(str(argument) for argument in arguments)],
        log=directory / f"{program}.log",
        environment=clean_environment(environment or {}),
        ready=lambda: http_status(*probe) == _OK,
        ready_seconds=_READY_SECONDS,
    )


def _moved(name: str, places: Mapping[str, Path], directory: Path) -> Path:
    """A copy of a file of the chart with directories of the test's own."""
    directory.mkdir(parents=True, exist_ok=True)
    text = file(name).read_text()
    for place, instead in places.items():
        text = text.replace(f" {place}", f" {instead}")
    (directory / name).write_text(text)
    return directory / name
