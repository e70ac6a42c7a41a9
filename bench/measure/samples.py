"""Where the processor time of one thread goes: its stack, looked at every so often."""

import signal
import sysconfig
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import madang

_EVERY_SECONDS = 0.001
_LIBRARIES = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
_OURS = str(Path(madang.__file__).parent)


class Samples:
    """How often each part was at work. A part is a module of ours or a library.

    The standard library's work, and that of compiled code, is its caller's.
    """

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Look until the end of the block; in the main thread, and only at that."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def shares(self) -> list[tuple[str, float]]:
        """Each part and its share of all looks, the largest first."""
        looks = self.parts.total()
        return [(part, count / looks) for part, count in self.parts.most_common()]

    def _look(self, _number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if part := _part(frame.f_code.co_filename):
                self.parts[part] += 1
                return
            frame = frame.f_back


def _part(file: str) -> str | None:
    if file.startswith(_OURS):
        module = Path(file).relative_to(_OURS).with_suffix("")
        return ".".join(("madang", *module.parts))
    for directory in _LIBRARIES:
        if file.startswith(directory):
            return Path(file).relative_to(directory).parts[0].removesuffix(".py")
    return None
