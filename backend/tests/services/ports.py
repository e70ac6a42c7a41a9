"""Free TCP ports on the loopback address."""

import random
import socket
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.services.errors import ServiceError

_LOWEST = 10_000
_FEWEST = 10_000
_BLOCK = 500
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_marks: list[socket.socket] = []
_one_at_a_time = threading.Lock()


def free_port() -> int:
    """A port that nobody listens on and that no process has been given by this before.

    It lies below the range from which the kernel takes the ports of outgoing connections, so that
    no client can sit on it while the service that owns it is down (a client that retries a dead
    port inside that range can even connect to itself).

    Raises:
        ServiceError: no port is left.
    """
    with _one_at_a_time:
        port = next((port for port in _own_ports() if is_free(port)), None)
    if port is None:
        raise ServiceError(f"no port from {_LOWEST} on is free")
    return port


def answers(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def is_free(port: int) -> bool:
    """Whether one could listen there."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@cache
def _own_ports() -> Iterator[int]:
    """Each once, from blocks that this process takes for itself, one after the other.

    So two test runs, or two workers of one, cannot be given the same port between its choice and
    its use, nor while the service that owns it is down. The name of a socket marks a block as
    taken; the kernel frees it when the process ends.
    """
    end = max(int(_RANGE.read_text().split()[0]), _LOWEST + _FEWEST)
    for start in _shuffled(range(_LOWEST, end - _BLOCK + 1, _BLOCK)):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0madang-ports-{start}")
        except OSError:
            mark.close()
            continue
        _marks.append(mark)
        yield from _shuffled(range(start, start + _BLOCK))


def _shuffled(numbers: range) -> list[int]:
    return random.sample(numbers, len(numbers))
