"""What the Helm chart says to the Secrets that it finds in a cluster."""

import base64
import re
from collections.abc import Mapping

import pytest

from tests.deploy import tools
from tests.deploy.cases import SWITCHES
from tests.deploy.fake_cluster import fake_cluster, helm_against
from tests.deploy.manifests import Object
from tests.deploy.values import nested

pytestmark = pytest.mark.deploy

Secrets = Mapping[str, Mapping[str, str]]

VALUES = nested({"secrets.existingSecret": "mine", "admin.existingSecret": "mine-admin"})
PEM = "# mine\n-----BEGIN CERTIFICATE-----\n"
INSIDE: Secrets = {
    "mine": {
        "secret-key": "k" * 32,
        "mariadb-password": "a+b/c=d#1",
        "mariadb-root-password": "any thing @/:",
        "redis-password": "Z9",
        "kafka-cluster-id": "M" + "a-_" * 7,
    },
    "mine-admin": {"username": "관리자", "password": "p@ss word"},
}
STORES: Secrets = {
    "board-database": {"database-url": "mariadb://board:p%40ss@10.20.0.5:3306/board?ssl_ca=/a"},
    "board-redis": {"redis-url": "rediss://:secret@caches:6380/0"},
    "board-kafka": {"username": "$ConnectionString", "password": "any thing"},
    "board-kafka-ca": {"ca.crt": PEM},
    "board-mariadb-ca": {"ca.crt": PEM},
    "board-redis-ca": {"ca.crt": PEM},
}
MOVED = nested({**SWITCHES["stores outside with authorities of their own"], **VALUES})
MOVED_IN = {**STORES, **INSIDE, "mine": {"secret-key": "k" * 32}}

PLACE = "is not in the namespace boards"
WORD = "must hold only letters, digits and . _ ~ -, for it stands in an address"

# The Secret, its key and the value that it has instead, and what is said.
SHAPES = [
    ("mine", "secret-key", "k" * 31, "must have 32 characters or more"),
    ("mine", "mariadb-password", "p@ss", "must hold no @, % or blank, for it stands in an address"),
    ("mine", "mariadb-password", "p%ss", "must hold no @, % or blank"),
    ("mine", "mariadb-password", "hunter2\n", "must hold no @, % or blank"),
    ("mine", "mariadb-root-password", "", "must not be empty"),
    ("mine", "redis-password", "p#ss", WORD),
    ("mine", "kafka-cluster-id", "-" + "a" * 21, "must be 16 bytes in URL-safe base64"),
    ("mine", "kafka-cluster-id", "short", "must be 16 bytes in URL-safe base64"),
    ("mine-admin", "username", "boss\n", "must be two or more letters, digits and _ . -"),
    ("mine-admin", "password", "1234567", "must have 8 characters or more"),
    ("board-database", "database-url", "postgresql://a:b@c/d", "must be mariadb://user:password@"),
    ("board-database", "database-url", "mariadb://a:b@c:3306", "must be mariadb://user:password@"),
    ("board-database", "database-url", "mariadb://a:b@c/d\n", "must be mariadb://user:password@"),
    ("board-redis", "redis-url", "redis.example.com:6379", "must be redis:// or rediss://"),
    ("board-kafka", "password", "", "must not be empty"),
    ("board-kafka-ca", "ca.crt", "/etc/ssl/ca.pem", "must hold certificates in PEM"),
]


def test_secrets_that_fit_are_taken() -> None:
    assert _said(VALUES, INSIDE) == ""
    assert _said(MOVED, MOVED_IN) == ""


@pytest.mark.parametrize("name", INSIDE)
def test_absent_secret_is_named(name: str) -> None:
    told = _said(VALUES, {key: value for key, value in INSIDE.items() if key != name})

    assert told == f"the Secret {name} {PLACE}; it needs the keys {', '.join(INSIDE[name])}"


@pytest.mark.parametrize("name", STORES)
def test_absent_secret_of_a_store_outside_is_named(name: str) -> None:
    told = _said(MOVED, {key: value for key, value in MOVED_IN.items() if key != name})

    assert told == f"the Secret {name} {PLACE}; it needs the keys {', '.join(STORES[name])}"


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name in MOVED_IN for key in MOVED_IN[name]],
)
def test_missing_key_is_named(name: str, key: str) -> None:
    rest = {one: value for one, value in MOVED_IN[name].items() if one != key}

    assert _said(MOVED, {**MOVED_IN, name: rest}) == f"the Secret {name} has no key {key}"


@pytest.mark.parametrize(("name", "key", "value", "words"), SHAPES)
def test_value_of_no_use_is_told_without_showing_it(
    name: str, key: str, value: str, words: str
) -> None:
    values, there = (MOVED, MOVED_IN) if name in STORES else (VALUES, INSIDE)

    told = _said(values, {**there, name: {**there[name], key: value}})

    assert told.startswith(f"the key {key} of the Secret {name} {words}")
    assert "\n" not in told
    assert not value.strip() or value.strip() not in told


def test_every_shape_of_the_templates_is_in_the_table() -> None:
    text = (tools.CHART / "templates" / "_rules_secrets.tpl").read_text()
    shapes = text.partition('{{- define "madang.shapes" -}}')[2]
    words = {one.strip("'") for one in re.findall(r"words: ('.*?'|[^}]*)\}", shapes)}
    told = [words for *_, words in SHAPES]

    assert len(words) > 5
    for one in words:
        assert any(f"must {one}".startswith(said) for said in told), one


def test_secrets_of_what_is_switched_off_are_not_asked_for() -> None:
    unused = {
        "kafka.external.caSecret": "absent",
        "mariadb.external.urlSecret.name": "absent",
        "admin.enabled": False,
        "admin.existingSecret": "absent",
    }

    assert _said(nested(unused), {}) == ""


def _said(values: Object, secrets: Secrets) -> str:
    """The lines of the rules, of a cluster with these Secrets."""
    with fake_cluster([_secret(name, data) for name, data in secrets.items()]) as address:
        done = helm_against(address, values)
    if done.returncode == 0:
        return ""
    assert "\n\n" in done.stderr, done.stderr
    lines = done.stderr.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    return "\n".join(line.strip() for line in lines)


def _secret(name: str, data: Mapping[str, str]) -> Object:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
