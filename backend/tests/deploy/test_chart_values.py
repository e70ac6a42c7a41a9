"""What the Helm chart says to values that it does not take: one table of bad values and words."""

import re
from functools import cache

import pytest

from tests.deploy import tools
from tests.deploy.cases import OUTSIDE
from tests.deploy.manifests import Object, helm_template
from tests.deploy.values import nested, paths_of_schema, paths_of_values

pytestmark = pytest.mark.deploy

# A rule over several values, as dotted paths, and what is said.
RULES: list[tuple[Object, str]] = [
    (
        {"api.replicas": 1},
        "api.replicas must be 2 or more with spool.persistence.enabled, for a pod with a volume",
    ),
    (
        {"autoscaling.enabled": True, "autoscaling.minReplicas": 1},
        "autoscaling.minReplicas must be 2 or more with spool.persistence.enabled",
    ),
    (
        {"autoscaling.enabled": True, "autoscaling.minReplicas": 9},
        "autoscaling.minReplicas is above autoscaling.maxReplicas",
    ),
    (
        {"spool.persistence.size": "512Mi"},
        "spool.persistence.size (512Mi) must be above spool.maxMiB (512)",
    ),
    (
        {"spool.maxMiB": 1024},
        "spool.persistence.size (1Gi) must be above spool.maxMiB (1024)",
    ),
    (
        {"kafka.partitions": 12},
        "kafka.persistence.size (10Gi) must be 13312Mi or more, for kafka.partitions (12) take",
    ),
    (
        {"kafka.persistence.size": "3Gi"},
        "kafka.persistence.size (3Gi) must be 3520Mi or more",
    ),
    (
        {"mariadb.bufferPool": "1G"},
        "mariadb.resources.limits.memory (1Gi) must be 1152Mi or more with mariadb.bufferPool 1G",
    ),
    (
        {"redis.resources.limits.memory": "150M"},
        "redis.resources.limits.memory (150M) must be 160Mi or more with redis.maxMemory 128mb",
    ),
    (
        {"kafka.heap": "1000m"},
        "kafka.resources.limits.memory (1Gi) must be 1128Mi or more with kafka.heap 1000m",
    ),
    (
        {"mariadb.enabled": False},
        "mariadb.enabled is false, so mariadb.external.urlSecret.name must name a Secret",
    ),
    (
        {"redis.enabled": False},
        "redis.enabled is false, so redis.external.urlSecret.name must name a Secret",
    ),
    (
        {"kafka.enabled": False},
        "kafka.enabled is false, so kafka.external.bootstrap must name the brokers",
    ),
    (
        {**OUTSIDE, "kafka.external.credentialsSecret": ""},
        "is SASL_SSL, so kafka.external.credentialsSecret must name a Secret with username and",
    ),
    (
        {**OUTSIDE, "kafka.external.securityProtocol": "SSL"},
        "credentialsSecret is set, so kafka.external.securityProtocol must be SASL_PLAINTEXT or",
    ),
    (
        {**OUTSIDE, "networkPolicy.egress": []},
        "networkPolicy.egress must say where mariadb, redis, kafka can be reached outside",
    ),
    ({"web.ingress.enabled": True}, "web.ingress.enabled needs publicUrl, whose host it serves"),
    ({"web.httpRoute.enabled": True}, "web.httpRoute.enabled needs publicUrl"),
    (
        {"web.httpRoute.enabled": True, "publicUrl": "http://board.example.com"},
        "web.httpRoute.parentRefs must name a Gateway",
    ),
    (
        {
            "web.ingress.enabled": True,
            "web.ingress.tlsSecret": "tls",
            "publicUrl": "http://board.example.com",
        },
        "web.ingress.tlsSecret is set, so publicUrl must begin with https://",
    ),
]

# One value that is wrong by itself: its path, the value, and what is said about it.
VALUES: list[tuple[str, object, str]] = [
    ("replicas", 3, "additional properties 'replicas' not allowed"),
    ("web.replica", 3, "at '/web': additional properties 'replica' not allowed"),
    ("kafka.external.user", "a", "additional properties 'user' not allowed"),
    ("web.replicas", 0, "at '/web/replicas': minimum: got 0, want 1"),
    ("api.replicas", "two", "at '/api/replicas': got string, want integer"),
    ("api.workers", 65, "at '/api/workers': maximum: got 65, want 64"),
    ("api.resources.requests", None, "at '/api/resources': missing property 'requests'"),
    ("jobs.resources.requests.memory", "512MB", "'512MB' does not match pattern"),
    ("ship.resources.limits.memory", "lots", "'lots' does not match pattern"),
    ("web.resources.requests.cpu", "half", "'half' does not match pattern"),
    ("kafka.nodes", 2, "at '/kafka/nodes': value must be one of 1, 3"),
    ("kafka.topic", "a b", "at '/kafka/topic': 'a b' does not match pattern"),
    ("kafka.heap", "1 GB", "at '/kafka/heap': '1 GB' does not match pattern"),
    ("kafka.settings", {"a=b": "c"}, "additional properties 'a=b' not allowed"),
    ("kafka.external.securityProtocol", "SASL", "value must be one of 'PLAINTEXT'"),
    ("kafka.external.bootstrap", "broker", "'broker' does not match pattern"),
    ("mariadb.persistence.size", "20GB", "'20GB' does not match pattern"),
    ("mariadb.bufferPool", "lots", "'lots' does not match pattern"),
    ("redis.maxMemory", "64Mi", "'64Mi' does not match pattern"),
    ("publicUrl", "board.example.com", "'board.example.com' does not match pattern"),
    ("publicUrl", "https://board.example.com/app", "does not match pattern"),
    ("logLevel", "loud", "value must be one of 'debug', 'info', 'warning', 'error'"),
    ("sessionDays", 400, "at '/sessionDays': maximum: got 400, want 365"),
    ("spool.policy", "drop", "value must be one of 'serve', 'refuse'"),
    ("web.service.type", "ExternalName", "value must be one of 'ClusterIP'"),
    ("web.service.sourceRanges", ["everyone"], "'everyone' does not match pattern"),
    ("admin.username", "a b", "at '/admin/username': 'a b' does not match pattern"),
    ("prune.schedule", "daily", "'daily' does not match pattern"),
    ("prune.keep", "30 days", "'30 days' does not match pattern"),
    ("telemetry.otlpEndpoint", "collector:4317", "'collector:4317' does not match pattern"),
    ("telemetry.sampling", 1.5, "at '/telemetry/sampling': maximum: got 1.5, want 1"),
    ("networkPolicy.egress", [{"cidrs": ["10.0.0.0/8"]}], "missing property 'ports'"),
    ("networkPolicy.egress", [{"ports": [3306]}], "minProperties: got 1, want 2"),
    ("networkPolicy.ingressFrom", [{"ipBlock": {"cird": "10.0.0.0/8"}}], "'cird' not allowed"),
    ("web.httpRoute.parentRefs", [{"name": "gw", "section": "https"}], "'section' not allowed"),
    ("tolerations", [{"key": "a", "operater": "Exists"}], "'operater' not allowed"),
    ("image.tag", "a tag", "at '/image/tag': 'a tag' does not match pattern"),
    ("fullnameOverride", "Board", "'Board' does not match pattern"),
    ("fullnameOverride", "b" * 41, "at '/fullnameOverride':"),
]


@pytest.mark.parametrize(
    ("number", "words"),
    list(enumerate(words for _, words in RULES)),
    ids=[words for _, words in RULES],
)
def test_rule_is_told_in_its_own_words(number: int, words: str) -> None:
    assert words in _refused(number)


@pytest.mark.parametrize(
    ("path", "value", "words"), VALUES, ids=[f"{path} {value}" for path, value, _ in VALUES]
)
def test_wrong_value_is_told_with_its_place(path: str, value: object, words: str) -> None:
    done = helm_template(nested({path: value}))

    assert done.returncode != 0
    assert words in done.stderr
    folders = path.split(".")[:-1]
    assert f"at '{''.join(f'/{folder}' for folder in folders)}" in done.stderr


@pytest.mark.parametrize(
    "values",
    [
        {"kafka.persistence.size": "3520Mi"},
        {"kafka.heap": "896m", "mariadb.bufferPool": "896M", "redis.maxMemory": "163840kb"},
        {"kafka.heap": "8g", "kafka.resources.limits.memory": "8.25Gi"},
        {"mariadb.bufferPool": "8G", "mariadb.resources.limits": {"memory": None}},
    ],
)
def test_sizes_that_just_fit_are_taken(values: Object) -> None:
    done = helm_template(nested(values))

    assert done.returncode == 0, done.stderr


def test_all_broken_rules_are_told_at_once() -> None:
    done = helm_template(nested({"mariadb.enabled": False, "web.ingress.enabled": True}))

    for words in ("mariadb.external.urlSecret", "networkPolicy.egress", "web.ingress.enabled"):
        assert words in done.stderr


def test_every_rule_of_the_templates_is_in_the_table() -> None:
    sections = (tools.CHART / "templates" / "_rules.tpl").read_text().split("{{- define ")
    text = "".join(part for part in sections if part.startswith('"madang.rules.'))
    messages = [line[2:] for line in text.splitlines() if line.startswith("- ")]
    told = "".join(_refused(number) for number in range(len(RULES))).splitlines()

    assert messages
    for message in messages:
        pattern = ".*".join(re.escape(part) for part in re.split(r"\{\{.*?\}\}", message))
        assert any(re.fullmatch(f" *{pattern}", line) for line in told), message


def test_schema_knows_every_value_and_nothing_more() -> None:
    inherited = {"/global", "/web/image/registry", "/web/image/tag", "/web/image/pullPolicy"}

    assert paths_of_values(tools.CHART) == paths_of_schema(tools.CHART) - inherited


@cache
def _refused(number: int) -> str:
    """What is said to one of `RULES`."""
    done = helm_template(nested(RULES[number][0]))
    assert done.returncode != 0
    return done.stderr
