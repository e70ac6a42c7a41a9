"""What the containers of a release of the chart use of memory, at rest and under load.

In the cluster of KUBECONFIG. The load comes from a pod with Madang's image: the tag and the
registry are MADANG_TEST_IMAGE_TAG and MADANG_TEST_IMAGE_REGISTRY, as for `make test-cluster`.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from measure.results import Bench, Circumstances, Measurement
from measure.tables import put_between_marks, table
from tests.cluster.load import load
from tests.services.kubernetes.cluster import Cluster
from tests.services.kubernetes.images import published_images
from tests.services.kubernetes.memory import Used, measured
from tests.services.kubernetes.release import Release
from tests.services.nginx import REPOSITORY

PAGE = REPOSITORY / "docs" / "scaling.md"


class Result(Measurement, frozen=True, kw_only=True):
    """Both looks at all containers."""

    profile: str
    answers: int
    failed: int
    at_rest: list[Used]
    under_load: list[Used]

    def faults(self) -> list[str]:
        """What failed, and which container goes beyond what is reserved for it."""
        found = [f"{self.failed} requests failed"] if self.failed else []
        return found + [
            f"{one.container} of {one.component} uses {one.working_set:.0f} MiB and requests "
            f"{one.request:.0f}"
            for one in self.under_load
            if one.working_set > one.request
        ]


def measure(given: argparse.Namespace) -> Result:
    """Look at it as it is, then load it until so many requests were answered and look again."""
    if "KUBECONFIG" not in os.environ:
        raise SystemExit("KUBECONFIG must name the cluster: export KUBECONFIG=~/.kube/config")
    cluster = Cluster(Path(os.environ["KUBECONFIG"]))
    board = Release(cluster, published_images(), given.namespace, given.release, given.profile)
    version = json.loads(cluster.kubectl("version", "--output=json"))["serverVersion"]
    at_rest = measured(board)
    with load(board) as clients:
        clients.wait_for_answers(given.answers, seconds=given.seconds)
        under_load = measured(board)
    found = Circumstances.now(None)
    return Result(
        date=found.date,
        machine=found.machine,
        versions=found.versions | {"Kubernetes": version["gitVersion"]},
        profile=given.profile,
        answers=sum(clients.statuses().values()),
        failed=len(clients.failed),
        at_rest=at_rest,
        under_load=under_load,
    )


def report(result: Result) -> str:
    """The result as Markdown."""
    how = (
        f"The profile {result.profile}, posts and lists from four clients inside the cluster; "
        f"the working set in MiB by the metrics API, of several pods the largest"
    )
    rest = {(one.component, one.container): one.working_set for one in result.at_rest}
    rows = (
        [
            one.component
            if one.component == one.container
            else f"{one.component}: {one.container}",
            f"{one.request:.0f}",
            f"{one.limit:.0f}",
            f"{rest[one.component, one.container]:.0f}",
            f"{one.working_set:.0f}",
            f"{one.working_set / one.request:.0%}",
        ]
        for one in result.under_load
    )
    header = ("container", "request", "limit", "at rest", f"{result.answers:,} calls", "of request")
    return "\n".join(
        [
            result.conditions(how, {}),
            table(header, rows),
            result.verdict(
                "Every request was answered, and no container uses more than it asks for."
            ),
        ]
    )


def publish(result: Result) -> None:
    """Into the page on scaling."""
    put_between_marks(PAGE, f"memory-{result.profile}", report(result))


BENCH = Bench("pods", Result, report, publish)


def main() -> int:
    """Measure or show, and say whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", default="boards", help="default: %(default)s")
    parser.add_argument("--release", default="board", help="default: %(default)s")
    parser.add_argument("--profile", default="small", help="what it is called in the table")
    parser.add_argument("--answers", type=int, default=5000, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=600, help="how long these may take")
    BENCH.add_options(parser)
    given = parser.parse_args()
    return BENCH.run(given, lambda: measure(given))


if __name__ == "__main__":
    sys.exit(main())
