"""Where the processor time of one thread goes: its stack, looked at every so often."""

import signal
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

import madang
from measure import BENCH
from measure.tables import table
from tests.services.process import Process

_EVERY_SECONDS = 0.001
_TOLD = 15
_LIBRARIES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_OURS = str(Path(madang.__file__).parent)


class Profile(msgspec.Struct, frozen=True):
    """Shares of all looks, the largest first: by part, and by our innermost function.

    What a function of ours calls elsewhere counts as its own.
    """

    parts: list[tuple[str, float]]
    functions: list[tuple[str, float]]

    def report(self, process: str) -> str:
        """The largest shares as Markdown."""
        return "\n".join(
            table(
                (f"{what} of `{process}`", "share of its processor time"),
                ([f"`{name}`", f"{share:.1%}"] for name, share in shares[:_TOLD]),
            )
            for what, shares in (("part", self.parts), ("function", self.functions))
        )


class Samples:
    """How often each part was at work. A part is a module of ours or a library.

    The standard library's work, and that of compiled code, is its caller's.
    """

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look until the end of the block; in the main thread, and only at that."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def profile(self) -> "Profile":
        """What was seen, to be kept."""
        return Profile(_shares(self.parts), _shares(self.functions))

    def shares(self) -> list[tuple[str, float]]:
        """Each part and its share of all looks, the largest first."""
        return _shares(self.parts)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        part_is_known = False
        while frame is not None:
            code = frame.f_code
            if not part_is_known and (part := _part(code.co_filename)):
                self.parts[part] += 1
                part_is_known = True
            if code.co_filename.startswith(_OURS):
                self.functions[f"{_part(code.co_filename)}.{code.co_qualname}"] += 1
                return
            frame = frame.f_back


def _shares(counts: Counter[str]) -> list[tuple[str, float]]:
    looks = counts.total()
    return [(name, count / looks) for name, count in counts.most_common()]


def _part(file: str) -> str | None:
    if file.startswith(_OURS):
        module = Path(file).relative_to(_OURS).with_suffix("")
        return ".".join(("madang", *module.parts))
    for directory in _LIBRARIES:
        if file.startswith(directory):
            return Path(file).relative_to(directory).parts[0].removesuffix(".py")
    return None


def profiling(process: Process, file: Path) -> None:
    """Have `madang record` or `madang ship` write its profile into `file` when it ends."""
    process.argv = [sys.executable, "-m", "measure.profiled", str(file), process.argv[1]]
    process.directory = BENCH
