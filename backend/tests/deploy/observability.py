"""The chart that collects logs, traces and metrics, rendered with every switch the other way."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from tests.deploy import tools
from tests.deploy.manifests import Manifests, Object, render

FILES = tools.OBSERVABILITY / "files"
STORES = ("loki", "tempo", "prometheus")


def external(name: str, *, url: str = "", secret: str = "") -> Object:
    """Values for a store outside."""
    return {
        "enabled": False,
        "external": {
            "otlp": f"https://{name}.example.com/otlp",
            "url": url,
            "authorizationSecret": {"name": secret},
        },
    }


EGRESS: Object = {"egress": [{"cidrs": ["10.20.0.0/24"], "ports": [443]}]}

SWITCHES: Mapping[str, Object] = {
    "nothing": {},
    "stores outside": {
        **{
            name: external(name, url=f"https://{name}.example.com", secret=f"{name}-access")
            for name in STORES
        },
        "networkPolicy": EGRESS,
    },
    "collector alone": {
        **{name: external(name) for name in STORES},
        "grafana": {"enabled": False},
        "networkPolicy": {"egress": [{"namespace": "monitoring", "ports": [3100, 4318, 9090]}]},
    },
    "logs outside": {
        "loki": external("loki", url="https://loki.example.com"),
        "networkPolicy": EGRESS,
    },
    "without what can be switched off": {
        "agent": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
    "everything set": {
        "fullnameOverride": "o",
        "namespaces": ["boards", "other"],
        "imagePullSecrets": ["registry"],
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "example", "operator": "Exists"}],
        "agent": {"logDirectory": "/srv/log/pods", "stateDirectory": "/srv/state"},
        "grafana": {"existingSecret": "mine"},
        "loki": {"persistence": {"storageClass": "fast"}},
        "networkPolicy": {
            "ingressFrom": [
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "proxy"}}}
            ]
        },
    },
}
ALL = tuple(SWITCHES)


@cache
def rendered(case: str) -> Manifests:
    """One of `ALL`, rendered once."""
    return render(SWITCHES[case], chart=tools.OBSERVABILITY)


def file(name: str) -> Path:
    """One of the files that chart and compose share."""
    return FILES / name


def own_containers() -> set[str]:
    """The containers whose plain lines the agent gives a service of Madang's."""
    operators = yaml.safe_load(file("agent.yaml").read_text())["receivers"]["file_log"]["operators"]
    (condition,) = [one["if"] for one in operators if one["type"] == "add"]
    return set(re.findall(r"[\w-]+", condition.partition(" matches ")[2]))
