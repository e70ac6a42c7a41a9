"""What fits on which nodes, as deploy.sh counts it before it installs."""

from typing import Any

import pytest

from rollout.capacity import Amount, Demand, demands, nodes, quantity, requested
from rollout.checks import room
from tests.deploy.cases import rendered

pytestmark = pytest.mark.deploy

GIB = 1024**3


def container(cpu: str, memory: str, **others: Any) -> dict[str, Any]:
    return {"name": "one", "resources": {"requests": {"cpu": cpu, "memory": memory}}, **others}


def node(cpu: str, memory: str, *, ready: str = "True", **spec: Any) -> dict[str, Any]:
    labels = {"disk": "fast", "kubernetes.io/os": "linux"}
    return {
        "metadata": {"name": f"node-{cpu}-{memory}", "labels": labels},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": "10"},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def demand(cpu: str, memory: str, count: int = 1, **spec: Any) -> Demand:
    return Demand("board-api", {"containers": [container(cpu, memory)], **spec}, count)


def missing(wanted: list[Demand], described: list[dict[str, Any]], **options: bool) -> list[str]:
    found = room(wanted, nodes(described, []), grows=options.get("grows", False))
    return [fault.missing for fault in found]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", 0.25),
        ("1.5", 1.5),
        ("2", 2),
        ("1e3", 1000),
        ("128k", 128_000),
        ("5G", 5e9),
        ("131072Ki", 128 * 1024**2),
        ("64Mi", 64 * 1024**2),
        ("1Gi", GIB),
        ("2Ei", 2 * 1024**6),
        ("1E", 1e18),
        ("500u", 5e-4),
    ],
)
def test_quantity_is_read_as_kubernetes_writes_it(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["512MB", "1.5GiB", "lots", "", "1 Gi", "--1", "nan", "64mi"])
def test_quantity_that_is_none_is_told_with_its_pod(text: str) -> None:
    (told,) = room([demand("1m", text)], nodes([node("1", "1Gi")], []), grows=False)

    assert told.missing == f"board-api requests '{text}', which is no quantity of Kubernetes"
    assert told.mend == "write 500m or 2 for CPU, 512Mi for memory"


def test_sidecars_run_beside_what_starts_after_them() -> None:
    spec = {
        "initContainers": [
            container("100m", "1Gi"),
            container("50m", "100Mi", restartPolicy="Always"),
            container("400m", "10Mi"),
        ],
        "containers": [container("200m", "300Mi")],
    }

    assert requested(spec) == Amount(cpu=450, memory=GIB, pods=1)


def test_limit_counts_where_no_request_is_said() -> None:
    spec = {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}

    assert requested(spec) == Amount(cpu=1000, memory=GIB, pods=1)


def test_daemon_sets_run_on_each_node_that_takes_them() -> None:
    template = {"spec": {"containers": [container("25m", "64Mi")]}}
    agent = {"kind": "DaemonSet", "metadata": {"name": "agent"}, "spec": {"template": template}}
    tainted = node("4", "4Gi", taints=[{"key": "gpu", "effect": "NoSchedule"}])

    (wanted,) = demands([agent], nodes([node("1", "1Gi"), node("2", "2Gi"), tainted], []))

    assert wanted.count == 2


def test_profiles_request_what_the_readme_says() -> None:
    asked = {
        profile: sum(
            (one.each * one.count for one in demands(rendered(f"profile {profile}").objects, [])),
            Amount(),
        )
        for profile in ("small", "standard", "aks")
    }

    # One prune, of 25m and 80Mi, comes and goes.
    assert asked["small"] == Amount(cpu=740 - 25, memory=1344 * 1024**2, pods=10)
    assert asked["standard"] == Amount(cpu=1950 - 25, memory=4880 * 1024**2, pods=16)
    assert asked["aks"] == asked["standard"]


def test_what_fits_is_told_nothing() -> None:
    assert missing([demand("500m", "1Gi", 2)], [node("1", "2Gi")]) == []


def test_shortage_says_how_much_of_what() -> None:
    assert missing([demand("500m", "1Gi", 3)], [node("1", "4Gi")]) == [
        "CPU: 1.5 requested, 1 free on 1 node(s), all pods together"
    ]


def test_upgrade_takes_room_for_new_pods_beside_the_old_ones() -> None:
    objects = rendered("profile small").objects
    beside = dict.fromkeys(("board-api", "board-live", "board-record", "board-web"), 1)
    small = nodes([node("740m", "1424Mi")], [])

    upgraded = demands(objects, small, beside)

    extra = sum((one.each * one.more for one in upgraded), Amount())
    assert extra == Amount(cpu=270, memory=536 * 1024**2, pods=4)
    assert list(room(demands(objects, small), small, grows=False)) == []
    told = next(room(upgraded, small, grows=False)).missing
    assert told.startswith("CPU: 0.985 requested, 0.74 free on 1 node(s), all pods together, with")
    assert told.endswith("beside each old one of board-api, board-live, board-record, board-web")


def test_pod_must_fit_on_one_node() -> None:
    (told,) = missing([demand("100m", "3Gi")], [node("1", "2Gi"), node("2", "2Gi")])

    assert (
        told
        == "memory: 3072 MiB requested, 2048 MiB free on the best node, for one pod of board-api"
    )


def test_what_other_pods_request_is_not_free() -> None:
    here = node("1", "4Gi")
    other = {
        "spec": {
            "nodeName": here["metadata"]["name"],
            "containers": [container("700m", "1Gi")],
        }
    }

    (free,) = (one.free for one in nodes([here], [other]))

    assert free == Amount(cpu=300, memory=3 * GIB, pods=9)


@pytest.mark.parametrize(
    "described",
    [
        node("4", "8Gi", ready="False"),
        node("4", "8Gi", ready="Unknown"),
        node("4", "8Gi", unschedulable=True),
    ],
    ids=["not ready", "lost", "cordoned"],
)
def test_node_that_takes_no_pods_is_no_room(described: dict[str, Any]) -> None:
    assert missing([demand("1m", "1Mi")], [described]) == ["no node is ready and takes pods"]


TAINT = {"key": "spot", "value": "yes", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        ({}, False),
        ({"tolerations": [{"key": "spot", "operator": "Exists"}]}, True),
        ({"tolerations": [{"operator": "Exists"}]}, True),
        ({"tolerations": [{"key": "spot", "value": "yes", "effect": "NoSchedule"}]}, True),
        ({"tolerations": [{"key": "spot", "value": "no"}]}, False),
        ({"tolerations": [{"key": "spot", "value": "yes", "effect": "NoExecute"}]}, False),
    ],
)
def test_taint_keeps_out_what_does_not_tolerate_it(spec: dict[str, Any], *, taken: bool) -> None:
    told = missing([demand("1m", "1Mi", **spec)], [node("4", "8Gi", taints=[TAINT])])

    assert ("no node takes the pods of board-api" in str(told)) is not taken


def test_node_selector_is_kept_to() -> None:
    fast, slow = (demand("1m", "1Mi", nodeSelector={"disk": disk}) for disk in ("fast", "slow"))

    assert missing([fast], [node("4", "8Gi")]) == []
    assert "no node takes" in str(missing([slow], [node("4", "8Gi")]))


def test_cluster_that_grows_needs_only_large_enough_nodes() -> None:
    assert missing([demand("1", "1Gi", 5)], [node("2", "2Gi")], grows=True) == []
    assert missing([demand("4", "1Gi")], [node("2", "2Gi")], grows=True) != []
