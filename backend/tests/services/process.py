"""A child process that cannot outlive this one, with a log, an account and a deadline."""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

from tests.services.errors import ServiceError, ServiceMissingError
from tests.services.waiting import wait_until

_SYSTEM_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user that a service runs as when we are root."""

    uid: int
    gid: int

    @classmethod
    def first_of(cls, *names: str) -> "Account | None":
        """The first of these users that exists, or None when we are not root ourselves."""
        if os.geteuid() != 0:
            return None
        for name in (*names, "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise ServiceError(f"none of the users {', '.join(names)}, nobody exists")


def find_program(*names: str) -> str:
    """The path of the first of these programs that is installed.

    Raises:
        ServiceMissingError: none is.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_DIRECTORIES}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    raise ServiceMissingError(names[0])


def own_directory(path: Path, account: Account | None) -> Path:
    """Make a directory that only the account (or we) can enter.

    Raises:
        ServiceError: the account could not get there.
    """
    require_passable(path.parent, account)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        shutil.chown(path, account.uid, account.gid)
    return path


def require_passable(path: Path, account: Account | None) -> None:
    """Check that the account may pass through this directory and all above it.

    Raises:
        ServiceError: one is closed; the message names it.
    """
    if account is None:
        return
    for directory in (path, *path.parents):
        state = directory.stat() if directory.exists() else None
        if state and state.st_uid != account.uid and not state.st_mode & stat.S_IXOTH:
            raise ServiceError(
                f"{directory} is closed to other users, and services do not run as root: "
                f"choose another place than {path}"
            )


class Process:
    """One program: start, watch, pause, kill, start again.

    The child leads a session of its own, so Ctrl+C reaches only us and we stop it in our order;
    and the kernel kills it when we die in whatever way.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        account: Account | None = None,
        ready: Callable[[], bool] | None = None,
        ready_seconds: float = 30,
    ) -> None:
        """Describe the program; `ready` says when a start is complete (at once when None)."""
        self.name = name
        self.log = log
        self.argv = [str(part) for part in argv]
        self.environment = environment
        self.directory = directory
        self.account = account
        self.ready = ready
        self.ready_seconds = ready_seconds
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; of the last run when it has ended.

        Raises:
            ServiceError: it was never started.
        """
        if self._child is None:
            raise ServiceError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by that signal), or None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the program, adding its output to the log, and wait until it is ready.

        Raises:
            ServiceError: it died or was not ready in time; the message ends with its log.
        """
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start the program and do not wait.

        Raises:
            ServiceError: it is running already.
        """
        if self.running:
            raise ServiceError(f"{self.name} is running already")
        self._child = _spawner().submit(self._spawn).result()

    def wait_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            ServiceError: it died or was not ready in time; the message ends with its log.
        """
        ready = self.ready or (lambda: True)
        try:
            wait_until(lambda: not self.running or ready(), self.ready_seconds, self.name)
        except ServiceError as error:
            raise ServiceError(f"{error}\n{self.log_tail()}") from None
        if not self.running:
            raise ServiceError(
                f"{self.name} ended with {self.exit_code} before it was ready\n{self.log_tail()}"
            )

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself, and return how.

        Raises:
            ServiceError: it did not within the time.
        """
        wait_until(lambda: not self.running, seconds, f"the end of {self.name}")
        return self.exit_code or 0

    def signal(self, number: int) -> None:
        """Send a signal to the program alone, not to its children."""
        if self._child is not None:
            self._child.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the program alone, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def stop(self, seconds: float = 10) -> None:
        """SIGTERM, then SIGKILL after this time, for all that the program started too."""
        self.ask_to_stop()
        self.stop_within(seconds)

    def ask_to_stop(self) -> None:
        """SIGTERM, also to a paused program."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def stop_within(self, seconds: float) -> None:
        """Wait for the end, then SIGKILL, for all that the program started too."""
        if self._child is None:
            return
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        finally:
            self._kill_session()

    def children(self) -> list[psutil.Process]:
        """The processes it started, and theirs."""
        return psutil.Process(self.pid).children(recursive=True) if self.running else []

    def log_tail(self, lines: int = 30) -> str:
        """The end of its output, with the log's path above it."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])

    def _spawn(self) -> subprocess.Popen[bytes]:
        with _open_log(self.log, self.account) as log:
            return subprocess.Popen(
                [*_confined(self.account), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory or self.log.parent,
                env=None if self.environment is None else dict(self.environment),
                start_new_session=True,
            )

    def _kill_session(self) -> None:
        # With nobody left, the number may belong to a stranger by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, other than one that only waits to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run(
    name: str,
    argv: Sequence[str | Path],
    *,
    log: Path,
    account: Account | None,
    seconds: float = 60,
) -> None:
    """Run a program to its end.

    Raises:
        ServiceError: it failed or took too long; the message ends with its output.
    """
    process = Process(name, argv, log=log, account=account)
    process.spawn()
    try:
        code = process.wait(seconds)
    finally:
        process.stop(0)
    if code:
        raise ServiceError(f"{name} ended with {code}\n{process.log_tail()}")


def _open_log(path: Path, account: Account | None) -> BinaryIO:
    """Open for appending; the account owns the file, as nginx opens its standard output anew."""
    log = path.open("ab")
    if account:
        os.fchown(log.fileno(), account.uid, account.gid)
    return log


def _confined(account: Account | None) -> list[str]:
    """A prefix that drops to the account and asks for SIGKILL on our death.

    The death signal goes with a change of user, so setpriv sets it after that.
    """
    prefix = [find_program("setpriv"), "--pdeathsig", "KILL"]
    if account:
        prefix += [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    return [*prefix, "--"]


@functools.cache
def _spawner() -> ThreadPoolExecutor:
    """The thread that starts all children.

    The kernel sends the death signal when the *thread* that started a child ends, so this one
    lives as long as the process.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
