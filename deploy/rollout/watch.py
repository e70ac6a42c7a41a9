"""Wait until a release is up and the board answers, and tell what is in the way meanwhile."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

from rollout.faults import arguments, exit_code, say
from rollout.kubectl import Cluster, KubectlError, Object
from rollout.workloads import KINDS, Trouble, Workloads

_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The port is this machine's own, whatever the environment says of proxies."""

BOARD = "madang"
"""The release that has a page; the other only collects."""
UP_SECONDS = 900
ANSWER_SECONDS = 30
TOLD_SECONDS = 5
"""How long something is wrong before it is told: much of it mends itself at once."""
BUSY_SECONDS = 60
"""After how long the last words of Jobs that still run are told: they try again and again."""
LOST_SECONDS = 30
LOG_LINES = 40


class NotUpError(Exception):
    """It does not come up; why."""


class Watch:
    """Looks at a release again and again, and tells what is new."""

    def __init__(self, cluster: Cluster, release: str) -> None:
        self._cluster = cluster
        self._release = release
        self._begin = time.monotonic()
        self._since: dict[str, float] = {}
        self._told: set[Trouble] = set()
        self._line = ""
        self._busy_next = BUSY_SECONDS

    def until_up(self) -> None:
        """Wait until all of it is up.

        Raises:
            NotUpError: something cannot come up, or it takes too long.
            KubectlError: kubectl fails.
        """
        while not (now := self._patient_look()).done:
            self._tell(now)
            if lasting := self._lasting(now):
                raise NotUpError(self._report(now, lasting))
            if self._seconds() > UP_SECONDS:
                raise NotUpError(self._report(now, f"not up after {UP_SECONDS} s"))
            time.sleep(2)
        self._tell(now)

    def _patient_look(self) -> Workloads:
        """A connection that is lost for a moment is no reason to give up."""
        end = time.monotonic() + LOST_SECONDS
        while True:
            try:
                return self._look()
            except KubectlError as error:
                if error.forbidden or time.monotonic() > end:
                    raise
                say(f"           {error}; asking again")
                time.sleep(2)

    def _look(self) -> Workloads:
        objects = self._cluster.of_release(KINDS, self._release)
        events = self._cluster.all("events", "--sort-by=.metadata.creationTimestamp")
        return Workloads.of(objects, events)

    def _tell(self, now: Workloads) -> None:
        """The line when it is another one, and troubles that are still there after a while."""
        if (line := now.line()) != self._line:
            say(f"    {self._seconds():3.0f} s  {line}")
            self._line = line
        found = list(now.troubles())
        unready = {pod["metadata"]["name"] for pod in now.unready}
        # Between two crashes a pod has no trouble to tell, and is not well either.
        still = {one.name for one in found} | (unready & self._since.keys())
        self._since = {name: self._since.get(name, self._seconds()) for name in still}
        self._say_new(one for one in found if self._lasts(one) >= TOLD_SECONDS)
        if self._seconds() >= self._busy_next:
            self._busy_next += BUSY_SECONDS
            self._say_new(map(self._last_words, now.busy))

    def _say_new(self, troubles: Iterable[Trouble]) -> None:
        for one in troubles:
            if one not in self._told:
                say(f"           {one}")
                self._told.add(one)

    def _last_words(self, pod: Object) -> Trouble:
        name = pod["metadata"]["name"]
        log = self._cluster.run("logs", name, "--tail=1")
        return Trouble(name, "still running", log.stdout.strip())

    def _lasting(self, now: Workloads) -> str:
        """Why it is no use to wait on, or nothing."""
        if now.failed_jobs:
            return f"given up: {', '.join(now.failed_jobs)}"
        for one in now.troubles():
            if self._lasts(one) >= one.patience_seconds:
                return str(one)
        return ""

    def _report(self, now: Workloads, why: str) -> str:
        """What is not up, why, its last lines, and what to do."""
        lines = [why]
        for trouble in (troubles := list(now.troubles())):
            lines += [f"  {trouble}", f"    mend: {trouble.advice}"]
        # Many others only wait for those that are in trouble.
        troubled = {trouble.name for trouble in troubles}
        busy = now.busy
        for pod in sorted(now.unready, key=lambda pod: pod not in busy):
            name = pod["metadata"]["name"]
            if troubled and name not in troubled:
                continue
            options = ("--all-containers", "--prefix", f"--tail={LOG_LINES}")
            log = self._cluster.run("logs", name, *options)
            lines += [f"  last lines of {name}:", *_indented(log.stdout + log.stderr)]
            lines += _indented(now.last_warning(pod))
        return "\n".join(lines)

    def _lasts(self, trouble: Trouble) -> float:
        return self._seconds() - self._since[trouble.name]

    def _seconds(self) -> float:
        return time.monotonic() - self._begin


def _indented(text: str) -> list[str]:
    """Its lines, but one that is said again and again only once."""
    return [f"    {line}" for line, _ in groupby(text.strip().splitlines())]


def until_answered(cluster: Cluster, release: str) -> None:
    """Wait until the board answers through its Service, the way a person would open it.

    Raises:
        NotUpError: it does not in time.
        KubectlError: there is no such Service.
    """
    web = f"--selector=app.kubernetes.io/instance={release},app.kubernetes.io/component=web"
    name = cluster.ask("get", "services", web, "--output=name").strip()
    end, last = time.monotonic() + ANSWER_SECONDS, ""
    while time.monotonic() < end:
        with _forwarded(cluster, name) as (port, said):
            last = _asked(port) if port else said
        if not last:
            return
        time.sleep(2)
    raise NotUpError(f"{name} does not answer: {last}")


@contextmanager
def _forwarded(cluster: Cluster, service: str) -> Iterator[tuple[int, str]]:
    """A local port that leads to a Service, or 0 and why not."""
    command = ["kubectl", "--namespace", cluster.namespace, "port-forward", service, ":80"]
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as forward:
        line = "" if forward.stdout is None else forward.stdout.readline()
        address = line.partition("Forwarding from 127.0.0.1:")[2]
        try:
            yield int(address.partition(" ")[0] or 0), line.strip()
        finally:
            forward.terminate()


def _asked(port: int) -> str:
    """Why the page or what stands behind it does not answer, or nothing when they do."""
    try:
        for path in ("/", "/api/health/ready"):
            with _DIRECTLY.open(f"http://127.0.0.1:{port}{path}", timeout=10):
                pass
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode(errors='replace')}"
    except OSError as error:
        return str(error)
    return ""


def main() -> int:
    """The exit code."""
    given = arguments("rollout.watch", __doc__).parse_args()
    cluster = Cluster(given.namespace)

    def wait() -> None:
        Watch(cluster, given.release).until_up()
        if given.release == BOARD:
            until_answered(cluster, given.release)
            say("    the board answers")

    return exit_code(wait, NotUpError, KubectlError)


if __name__ == "__main__":
    sys.exit(main())
