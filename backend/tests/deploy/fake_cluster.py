"""A Kubernetes API server as far as `lookup` needs one: it has objects, and knows their kinds."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import CompletedProcess
from typing import Any

from tests.deploy.manifests import NAMESPACE, Object, helm_template

_GROUPS = {
    "v1": {
        "configmaps": "ConfigMap",
        "pods": "Pod",
        "secrets": "Secret",
        "serviceaccounts": "ServiceAccount",
        "services": "Service",
    },
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "batch/v1": {"cronjobs": "CronJob", "jobs": "Job"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
_ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}


@contextmanager
def fake_cluster(objects: Sequence[Object]) -> Iterator[str]:
    """The address of one that holds these objects in the release's namespace."""
    answers = _discovery() | {_path(one): one for one in (_ACCOUNT, *objects)}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer or _MISSING).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def helm_against(address: str, values: Object) -> CompletedProcess[str]:
    """The finished `helm template`, which looks up what this cluster has."""
    options = ("--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", address)
    return helm_template(values, *options)


_MISSING = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound"}


def _path(one: Object) -> str:
    group, name = one["apiVersion"], one["metadata"]["name"]
    plural = next(many for many, kind in _GROUPS[group].items() if kind == one["kind"])
    return f"{_root(group)}/namespaces/{NAMESPACE}/{plural}/{name}"


def _root(group: str) -> str:
    return f"/apis/{group}" if "/" in group else f"/api/{group}"


def _discovery() -> dict[str, Any]:
    named = [_group(group) for group in _GROUPS if "/" in group]
    return {
        "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": named},
    } | {_root(group): _resources(group, kinds) for group, kinds in _GROUPS.items()}


def _group(group: str) -> Object:
    name, _, version = group.partition("/")
    only = {"groupVersion": group, "version": version}
    return {"name": name, "versions": [only], "preferredVersion": only}


def _resources(group: str, kinds: Object) -> Object:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group,
        "resources": [
            {"name": many, "singularName": "", "namespaced": True, "kind": kind, "verbs": ["get"]}
            for many, kind in kinds.items()
        ],
    }
