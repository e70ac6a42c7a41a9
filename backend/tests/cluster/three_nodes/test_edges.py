"""NetworkPolicies: the connections that come about are those of the design, and no others."""

import pytest

from tests.services.kubernetes.pod_scripts import Client, client_pod, said, start_beside
from tests.services.kubernetes.release import Release

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

EDGES = {
    "web": {"api", "live"},
    "api": {"mariadb", "redis", "kafka"},
    "live": {"mariadb", "redis"},
    "record": {"mariadb", "redis", "kafka"},
    "mariadb": set[str](),
    "redis": set[str](),
    "kafka": {"kafka", "quorum"},
}
"""Who may open a connection to whom."""

PUBLIC = {"web", "cluster"}
"""What is open to a pod that no policy holds back."""


def addresses(board: Release) -> dict[str, str]:
    """HOST:PORT by what is there; `cluster` is Kubernetes' own API, a place outside."""
    domain = f"{board.namespace}.svc"
    services = {"web": 80, "api": 5000, "live": 5001, "mariadb": 3306, "redis": 6379}
    another_node = f"{board.name}-kafka-1.{board.name}-kafka-nodes.{domain}"
    return {name: f"{board.name}-{name}.{domain}:{port}" for name, port in services.items()} | {
        "kafka": f"{another_node}:9092",
        "quorum": f"{another_node}:9093",
        "cluster": "kubernetes.default.svc:443",
    }


def named(answers: dict[str, bool], wanted: dict[str, str]) -> set[str]:
    """The names of the addresses that took a connection."""
    return {name for name, address in wanted.items() if answers.get(address)}


def test_pods_of_the_board_reach_what_they_need_and_nothing_else(board: Release) -> None:
    wanted = addresses(board)
    started = {}
    for component in EDGES:
        # A pod's way to itself is the network plug-in's affair.
        others = [address for name, address in wanted.items() if name != component]
        if component == "kafka":
            others.append(wanted["kafka"])
        pod = min(board.pods(component), key=lambda found: found["metadata"]["name"])
        started[component] = start_beside(board.cluster, board.images, pod, "edges", *others)
    found = {component: named(said(client), wanted) for component, client in started.items()}
    assert found == EDGES


def test_pod_of_the_same_namespace_reaches_the_page_only(board: Release, stranger: Client) -> None:
    wanted = addresses(board)
    assert named(stranger.run("edges", *wanted.values()), wanted) == PUBLIC


def test_pod_of_another_namespace_reaches_the_page_only(board: Release) -> None:
    wanted = addresses(board)
    with (
        board.cluster.namespace() as another,
        client_pod(board.cluster, board.images, another) as client,
    ):
        assert named(client.run("edges", *wanted.values()), wanted) == PUBLIC
