"""Remove the Jobs that have ended, so that Helm makes them anew.

Helm leaves alone what did not change: a Job that gave up stays so, and one that is done is not done
again where its effect is gone, as with an empty database behind the same address. Each of them may
run any number of times.
"""

import sys

from rollout.faults import arguments, exit_code, say
from rollout.kubectl import Cluster, KubectlError, Object
from rollout.workloads import condition


def ended(job: Object) -> bool:
    """Whether it is one of the chart's own that is complete or gave up."""
    scheduled = "ownerReferences" in job["metadata"]
    return not scheduled and (condition(job, "Complete") or condition(job, "Failed"))


def remove_ended(cluster: Cluster, release: str) -> None:
    """Delete the Jobs of the release that have ended, and wait until they are gone.

    Raises:
        KubectlError: kubectl fails.
    """
    found = cluster.of_release("jobs", release)
    if names := [job["metadata"]["name"] for job in found if ended(job)]:
        say(f"    to run again: {', '.join(names)}")
        cluster.ask("delete", "jobs", *names, "--ignore-not-found")


def main() -> int:
    """The exit code."""
    given = arguments("rollout.jobs", __doc__).parse_args()
    cluster = Cluster(given.namespace)
    return exit_code(lambda: remove_ended(cluster, given.release), KubectlError)


if __name__ == "__main__":
    sys.exit(main())
