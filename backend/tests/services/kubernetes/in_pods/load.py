"""Run in a pod: URL, COOKIE, SECONDS: posts, lists and pages of history; the answers as JSON."""

import http.client
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

CLIENTS = 4
CALLS = (
    ("POST", "/api/messages"),
    ("GET", "/api/messages?limit=10"),
    ("GET", "/api/messages?limit=10"),
    ("GET", "/api/logs/kafka?limit=50"),
)


def statuses(host: str, cookie: str, end: float) -> Iterator[int]:
    """One client, one request after the other on one connection."""
    connection = http.client.HTTPConnection(host, timeout=30)
    headers = {"Cookie": cookie, "Content-Type": "application/json"}
    for turn, (method, path) in enumerate(itertools.cycle(CALLS)):
        if time.monotonic() > end:
            return
        body = json.dumps({"body": f"load {turn} 부하"}) if method == "POST" else None
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        yield answer.status


if __name__ == "__main__":
    url, cookie, seconds = sys.argv[1:]
    host, end = urlsplit(url).netloc, time.monotonic() + float(seconds)
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = pool.map(lambda _: Counter(statuses(host, cookie, end)), range(CLIENTS))
        sys.stdout.write(json.dumps(sum(found, Counter())))
