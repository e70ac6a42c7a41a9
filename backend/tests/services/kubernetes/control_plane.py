"""etcd, API server, controllers and scheduler: all of Kubernetes but its nodes."""

import http.client
import secrets
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.kubernetes.certificates import certify
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.programs import program
from tests.services.kubernetes.sandbox import Sandbox
from tests.services.ports import free_port
from tests.services.process import Process

SERVICES = "10.96"
NODE = "node-1"

_PORT = 6443
"""Below the range of NodePorts, which kube-router opens to every pod whatever the policies say."""
_READY_SECONDS = 240
_NAMES = ("", ".default", ".default.svc", ".default.svc.cluster.local")
_KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
  - {{name: madang, cluster: {{server: "{server}", certificate-authority: {authority}}}}}
users:
  - {{name: {user}, user: {{token: "{token}"}}}}
contexts:
  - {{name: madang, context: {{cluster: madang, user: {user}}}}}
current-context: madang
"""
# Who speaks with the API server, and the group that it is in.
_USERS = {
    "admin": ("admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
    "proxy": ("system:kube-proxy", ""),
}


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running one, on this machine or in a sandbox."""

    directory: Path
    cluster: Cluster
    sandbox: Sandbox | None

    @property
    def address(self) -> str:
        """Where the API server listens."""
        return self.sandbox.address if self.sandbox else "127.0.0.1"

    def kubeconfig(self, user: str) -> Path:
        """How one of its users reaches it: admin, controllers, scheduler, kubelet, proxy."""
        return self.directory / f"{user}.kubeconfig"

    def certificate(self, name: str) -> Path:
        """The path of one of its certificates."""
        return self.directory / "certificates" / f"{name}.crt"

    def process(self, name: str, options: Mapping[str, object], *words: str) -> Process:
        """One more program that belongs to it, in the same place, not started yet."""
        argv = [program(name), *words, *(f"--{key}={value}" for key, value in options.items())]
        return Process(
            name,
            self.sandbox.inside(*argv) if self.sandbox else argv,
            log=self.directory / f"{name}.log",
            ready_seconds=_READY_SECONDS,
        )


@contextmanager
def control_plane(directory: Path, sandbox: Sandbox | None = None) -> Iterator[ControlPlane]:
    """A control plane in this directory, which is made; without nodes.

    In a sandbox it listens at the sandbox' address, else at the loopback address, as any user.
    """
    directory.mkdir(parents=True)
    plane = ControlPlane(directory, Cluster(directory / "admin.kubeconfig"), sandbox)
    names = [f"DNS:kubernetes{ending}" for ending in _NAMES]
    names += [f"IP:{ip}" for ip in {plane.address, "127.0.0.1", f"{SERVICES}.0.1"}]
    certify(directory / "certificates", names)
    port = _PORT if sandbox else free_port()
    _write_users(directory, f"https://{plane.address}:{port}")
    with ExitStack() as ends:
        store = f"http://127.0.0.1:{free_port()}"
        for process in (
            _etcd(plane, store),
            _apiserver(plane, store, port),
            _controllers(plane),
            _scheduler(plane),
        ):
            ends.callback(process.stop, 0)
            process.start()
        # The controllers make it; without it no pod is admitted.
        plane.cluster.wait("create", "serviceaccount/default", "--namespace=default")
        yield plane


def _write_users(directory: Path, server: str) -> None:
    authority = directory / "certificates" / "ca.crt"
    lines = []
    for name, (user, group) in _USERS.items():
        token = secrets.token_hex(16)
        lines.append(f'{token},{user},{user},"{group}"\n')
        kubeconfig = directory / f"{name}.kubeconfig"
        kubeconfig.touch(mode=0o600)
        kubeconfig.write_text(
            _KUBECONFIG.format(server=server, authority=authority, user=name, token=token)
        )
    tokens = directory / "certificates" / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text("".join(lines))


def _etcd(plane: ControlPlane, store: str) -> Process:
    peers = f"http://127.0.0.1:{free_port()}"
    return plane.process(
        "etcd",
        {
            "data-dir": plane.directory / "etcd",
            "listen-client-urls": store,
            "advertise-client-urls": store,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "unsafe-no-fsync": "true",  # nothing here has to survive the machine
            "log-level": "warn",
        },
    )


def _apiserver(plane: ControlPlane, store: str, port: int) -> Process:
    certificates = plane.directory / "certificates"
    process = plane.process(
        "kube-apiserver",
        {
            "etcd-servers": store,
            "bind-address": plane.address,
            "advertise-address": plane.address,
            "secure-port": port,
            "tls-cert-file": certificates / "apiserver.crt",
            "tls-private-key-file": certificates / "apiserver.key",
            "client-ca-file": certificates / "ca.crt",
            "token-auth-file": certificates / "tokens.csv",
            "kubelet-client-certificate": certificates / "kubelet-client.crt",
            "kubelet-client-key": certificates / "kubelet-client.key",
            "kubelet-preferred-address-types": "InternalIP",
            "service-cluster-ip-range": f"{SERVICES}.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": certificates / "accounts.crt",
            "service-account-signing-key-file": certificates / "accounts.key",
            "requestheader-client-ca-file": certificates / "front-proxy-ca.crt",
            "requestheader-allowed-names": "front-proxy",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": certificates / "front-proxy.crt",
            "proxy-client-key-file": certificates / "front-proxy.key",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "endpoint-reconciler-type": "lease" if plane.sandbox else "none",
        },
    )
    process.ready = lambda: _is_ready(plane, port)
    return process


def _is_ready(plane: ControlPlane, port: int) -> bool:
    context = ssl.create_default_context(cafile=plane.certificate("ca"))
    connection = http.client.HTTPSConnection(plane.address, port, timeout=5, context=context)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _controllers(plane: ControlPlane) -> Process:
    certificates = plane.directory / "certificates"
    return plane.process(
        "kube-controller-manager",
        {
            "kubeconfig": plane.kubeconfig("controllers"),
            "bind-address": "127.0.0.1",
            "secure-port": free_port(),
            "leader-elect": "false",
            "use-service-account-credentials": "true",
            "service-account-private-key-file": certificates / "accounts.key",
            "root-ca-file": certificates / "ca.crt",
            "cluster-signing-cert-file": certificates / "ca.crt",
            "cluster-signing-key-file": certificates / "ca.key",
            "kube-api-qps": 100,
            "kube-api-burst": 200,
        },
    )


def _scheduler(plane: ControlPlane) -> Process:
    return plane.process(
        "kube-scheduler",
        {
            "kubeconfig": plane.kubeconfig("scheduler"),
            "bind-address": "127.0.0.1",
            "secure-port": free_port(),
            "leader-elect": "false",
        },
    )
