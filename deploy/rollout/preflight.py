"""Whether an installation can succeed, and what it would change."""

import sys
from collections.abc import Callable
from pathlib import Path

from rollout import images
from rollout.faults import arguments, exit_code, say, tell
from rollout.installation import Installation
from rollout.kubectl import Cluster, KubectlError


def main() -> int:
    """The exit code."""
    parser = arguments("rollout.preflight", __doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("--chart", required=True, type=Path)
    parser.add_argument("--values", action="append", default=[])
    parser.add_argument("--beside", metavar="NAME=CHART", help="a release in the namespace NAME")
    parser.add_argument("--beside-values", action="append", default=[])
    given = parser.parse_args()
    cluster = Cluster(given.namespace)
    installation = Installation(given.release, cluster, given.chart, given.values)
    if given.beside:
        name, _, chart = given.beside.partition("=")
        installation.beside = Installation(name, Cluster(name), Path(chart), given.beside_values)
    return exit_code(lambda: WHAT[given.what](installation), KubectlError)


def look(installation: Installation) -> int:
    """Look at all that can be seen without changing anything."""
    return tell(installation.faults())


def plan(installation: Installation) -> int:
    """The same, and what would change."""
    if code := look(installation):
        return code
    for line in installation.plan():
        say(f"    {line}")
    return 0


def pull(installation: Installation) -> int:
    """Whether the nodes get the images that some of them may not have."""
    if code := tell(list(installation.render())):
        return code
    wanted = images.needed(installation.objects)
    try:
        wanted = images.absent(wanted, installation.cluster.all("nodes"))
    except KubectlError as error:
        if not error.forbidden:
            raise
    if not wanted:
        say("    every node has them")
        return 0
    like = images.pods(installation.objects)[0]
    return tell(list(images.check(installation.cluster, installation.release, wanted, like)))


WHAT: dict[str, Callable[[Installation], int]] = {"look": look, "plan": plan, "pull": pull}

if __name__ == "__main__":
    sys.exit(main())
