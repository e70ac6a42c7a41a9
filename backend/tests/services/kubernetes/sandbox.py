"""Namespaces of their own for a node: network, mounts and processes, and a cable to the host.

What runs inside cannot outlive the sandbox: it is one process namespace, and the kernel ends all of
it with its first process; mounts, addresses and firewall rules go with it.
"""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services.errors import ServiceError
from tests.services.process import Process, find_program

_NUMBERS = range(100)
_STOP_SECONDS = 30

# The first process waits for its children, so that it buries what containers leave. What kubelet
# and containerd write to fixed places lands in the directory. kubelet demands some of the machine's
# settings; it is shown files that already hold what it wants, so that the machine's own stay.
_SETUP = """\
set -eu
mount --make-rshared /
for place in lib log; do
  mkdir -p "$1/$place"
  mount --bind "$1/$place" "/var/$place"
done
mount -t tmpfs tmpfs /run
mkdir "$1/sysctl"
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$1/sysctl/$(echo "${setting%=*}" | tr / _)
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
ip link set lo up
touch "$1/ready"
sleep infinity &
wait
"""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running one; `pid` is its first process as the host numbers it."""

    pid: int
    address: str

    def inside(self, *argv: str | Path) -> list[str]:
        """The command that runs this one inside."""
        entry = ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", "--wd=/"]
        return [find_program("nsenter"), *entry[1:], "--", *(str(part) for part in argv)]

    def run(self, *argv: str | Path, seconds: float = 120) -> str:
        """Run a command inside to its end; returns what it printed.

        Raises:
            ServiceError: it failed; with its output.
        """
        return _run(self.inside(*argv), seconds)

    def has(self, path: str) -> bool:
        """Whether there is such a file inside: for conditions to wait for."""
        return Path(f"/proc/{self.pid}/root{path}").exists()


@contextmanager
def sandbox(directory: Path) -> Iterator[Sandbox]:
    """A sandbox that keeps its files in this directory, which is made. Needs root.

    Inside, /var/lib and /var/log are its own. The host reaches it at `address` and it the host at
    the address before; there is no way on from there.
    """
    directory.mkdir(parents=True)
    namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    holder = Process(
        "sandbox",
        [find_program("unshare"), *namespaces, "sh", "-c", _SETUP, "sandbox", directory],
        log=directory / "sandbox.log",
        ready=(directory / "ready").exists,
    )
    holder.start()
    try:
        first = holder.children()[0]
        try:
            with _cable(first.pid) as address:
                yield Sandbox(first.pid, address)
        finally:
            first.kill()
            holder.wait(_STOP_SECONDS)
    finally:
        holder.stop(0)


@contextmanager
def _cable(pid: int) -> Iterator[str]:
    """A cable from the host to a process, for the block; the address of its inner end."""
    name = next((name for name in map("madang{}".format, _NUMBERS) if _lay(name, pid)), None)
    if name is None:
        raise ServiceError("all names and addresses for nodes are taken: see `ip link`")
    ip = find_program("ip")
    outer, inner = (f"10.199.{name.removeprefix('madang')}.{end}" for end in (1, 2))
    within = [find_program("nsenter"), "--target", str(pid), "--net", "--", ip]
    try:
        _run([ip, "address", "add", f"{outer}/24", "dev", name])
        _run([ip, "link", "set", name, "up"])
        _run([*within, "address", "add", f"{inner}/24", "dev", "eth0"])
        _run([*within, "link", "set", "eth0", "up"])
        _run([*within, "route", "add", "default", "via", outer])
        yield inner
    finally:
        # It would go with the network inside, but that may outlive its processes by a minute.
        _run([ip, "link", "delete", name])


def _lay(name: str, pid: int) -> bool:
    """Lay a cable of this name, unless there is one."""
    words = ["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid)]
    done = subprocess.run([find_program("ip"), *words], capture_output=True, text=True, check=False)
    if done.returncode and "File exists" not in done.stderr:
        raise ServiceError(f"ip {' '.join(words)}: {done.stderr}")
    return done.returncode == 0


def _run(argv: Sequence[str], seconds: float = 30) -> str:
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if done.returncode:
        words = " ".join(argv)
        raise ServiceError(f"{words}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
