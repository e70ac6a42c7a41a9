"""Free TCP ports on the loopback address."""

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on and that this process has not been given before.

    It lies below the range from which the kernel takes the ports of outgoing connections, so that
    no client can sit on it while the service that owns it is down (a client that retries a dead
    port inside that range can even connect to itself).
    """
    highest = int(_RANGE.read_text().split()[0]) - 1
    while True:
        port = random.randint(_LOWEST, max(highest, _LOWEST + 1000))
        if port not in _given and is_free(port):
            _given.add(port)
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
