"""Values that the chart is rendered with: every profile, and every switch the other way."""

from collections.abc import Mapping
from functools import cache

from tests.deploy.manifests import Manifests, Object, render

PROFILES = ("small", "standard", "aks")

OUTSIDE: Object = {
    "mariadb": {"enabled": False, "external": {"urlSecret": {"name": "board-database"}}},
    "redis": {"enabled": False, "external": {"urlSecret": {"name": "board-redis"}}},
    "kafka": {
        "enabled": False,
        "external": {
            "bootstrap": "broker-1.example.com:9093,broker-2.example.com:9093",
            "securityProtocol": "SASL_SSL",
            "saslMechanism": "PLAIN",
            "compression": "none",
            "credentialsSecret": "board-kafka",
            "caSecret": "board-kafka-ca",
        },
    },
    "networkPolicy": {
        "egress": [
            {"cidrs": ["10.20.0.0/24"], "ports": [3306, 9093]},
            {"namespace": "caches", "ports": [6379]},
        ]
    },
}

SWITCHES: Mapping[str, Object] = {
    "nothing": {},
    "without what can be switched off": {
        "admin": {"enabled": False},
        "prune": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "spool": {"persistence": {"enabled": False}},
    },
    "stores outside": OUTSIDE,
    "stores outside with authorities of their own": {
        **OUTSIDE,
        "mariadb": {
            "enabled": False,
            "external": {"urlSecret": {"name": "board-database"}, "caSecret": "board-mariadb-ca"},
        },
        "redis": {
            "enabled": False,
            "external": {"urlSecret": {"name": "board-redis"}, "caSecret": "board-redis-ca"},
        },
    },
    "kafka outside without passwords": {
        "kafka": {"enabled": False, "external": {"bootstrap": "broker.example.com:9092"}},
        "networkPolicy": {"egress": [{"cidrs": ["10.20.0.0/24"], "ports": [9092]}]},
    },
    "ingress": {
        "publicUrl": "https://board.example.com",
        "web": {
            "ingress": {
                "enabled": True,
                "className": "example",
                "annotations": {"cert-manager.io/cluster-issuer": "example"},
                "tlsSecret": "board-tls",
            }
        },
    },
    "gateway": {
        "publicUrl": "https://board.example.com:8443",
        "web": {
            "httpRoute": {
                "enabled": True,
                "parentRefs": [
                    {"name": "gateway", "namespace": "gateways", "sectionName": "https"}
                ],
            }
        },
    },
    "gateway without a timeout": {
        "publicUrl": "http://board.example.com",
        "web": {
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "gw"}], "streamTimeout": ""}
        },
    },
    "load balancer": {
        "web": {"service": {"type": "LoadBalancer", "sourceRanges": ["192.0.2.0/24"]}},
        "networkPolicy": {"ingressFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
    },
    "autoscaling": {"autoscaling": {"enabled": True}},
    "autoscaling without volumes": {
        "autoscaling": {"enabled": True},
        "spool": {"persistence": {"enabled": False}},
    },
    "telemetry": {
        "telemetry": {"otlpEndpoint": "http://collector.observability:4318", "sampling": 0.25},
        "prometheusRule": {"enabled": True, "labels": {"release": "example"}},
    },
    "existing secrets": {
        "secrets": {"existingSecret": "mine"},
        "admin": {"existingSecret": "mine-admin"},
    },
    "everything small": {
        "fullnameOverride": "b",
        "imagePullSecrets": ["registry"],
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "example", "operator": "Exists"}],
        "mariadb": {
            "settings": {"max-connections": "50"},
            "persistence": {"storageClass": "fast"},
        },
        "kafka": {"nodes": 1, "settings": {"log.retention.hours": "1"}},
        "spool": {"policy": "refuse", "persistence": {"storageClass": "fast"}},
    },
}

ALL = (*(f"profile {name}" for name in PROFILES), *SWITCHES)


@cache
def rendered(case: str) -> Manifests:
    """One of `ALL`, rendered once."""
    if case.startswith("profile "):
        return render({}, profile=case.removeprefix("profile "))
    return render(SWITCHES[case])
