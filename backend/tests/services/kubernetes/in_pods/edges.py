"""Run in a pod: which of HOST:PORT... take a connection, as JSON. A name unknown to DNS ends it."""

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 5.0


def opens(target: str) -> bool:
    """Whether a connection comes about; one that is dropped and one that is refused do not."""
    host, _, port = target.rpartition(":")
    address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4]
    with socket.socket() as connection:
        connection.settimeout(SECONDS)
        return connection.connect_ex(address) == 0


if __name__ == "__main__":
    targets = sys.argv[1:]
    with ThreadPoolExecutor(len(targets)) as pool:
        sys.stdout.write(json.dumps(dict(zip(targets, pool.map(opens, targets), strict=True))))
