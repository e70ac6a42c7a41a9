"""Calls as a busy board would make them: skewed over endpoints and users, spread over time.

Made-up, and the same for the same seed. The most frequent of anything comes first in its list, so a
bench can ask for what is common, what is rare, and what is not there at all.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from madang.calls.capture import UNMATCHED
from madang.calls.event import CallEvent, new_call_id

Drawn = TypeVar("Drawn")

_API, _WEB, _IMPORT = "madang-api", "madang-web", "madang-import"
_MESSAGE = "/api/messages/{id}"
_DRAW = 10_000
_SPREAD = 0.6
_DAY_WAVE = 0.7
_BYGONE_EVERY = 100
_RARE_WEIGHT = 2e-6
_INSTANCES = [f"madang-api-{number}" for number in range(6)]


@dataclass(frozen=True, slots=True)
class Kind:
    """What calls have in common, and half of their durations are below `median_us`."""

    service_name: str
    method: str
    endpoint: str
    status: int
    median_us: int


KINDS = (
    Kind(_API, "GET", "/api/messages", 200, 900),
    Kind(_API, "GET", _MESSAGE, 200, 1_100),
    Kind(_API, "POST", "/api/messages", 201, 2_400),
    Kind(_API, "GET", "/api/session", 200, 500),
    Kind(_WEB, "GET", "/api/live", 200, 60_000),
    Kind(_API, "GET", "/api/logs/redis", 200, 2_100),
    Kind(_API, "GET", "/api/logs/kafka", 200, 3_800),
    Kind(_API, "PATCH", _MESSAGE, 200, 2_600),
    Kind(_API, "GET", _MESSAGE, 404, 800),
    Kind(_API, "POST", "/api/session", 201, 48_000),
    Kind(_API, "GET", "/api/stats/calls", 200, 9_000),
    Kind(_API, "GET", "/api/messages", 401, 300),
    Kind(_API, "DELETE", _MESSAGE, 204, 2_500),
    Kind(_API, "POST", "/api/session", 401, 47_000),
    Kind(_API, "DELETE", "/api/session", 204, 1_900),
    Kind(_API, "GET", UNMATCHED, 404, 200),
    Kind(_API, "POST", "/api/messages", 422, 500),
    Kind(_API, "POST", "/api/users", 201, 51_000),
    Kind(_API, "GET", "/api/users/me/sessions", 200, 1_300),
    Kind(_API, "POST", "/api/messages", 503, 5_010_000),
    Kind(_API, "PATCH", "/api/users/me", 200, 2_300),
    Kind(_API, "GET", "/api/tokens", 200, 1_200),
    Kind(_WEB, "GET", "/api/messages", 502, 3_000),
    Kind(_API, "PATCH", _MESSAGE, 403, 900),
    Kind(_API, "PUT", "/api/users/me/password", 204, 95_000),
    Kind(_API, "POST", "/api/tokens", 201, 2_000),
    Kind(_API, "GET", "/api/messages", 503, 5_010_000),
    Kind(_API, "GET", "/api/logs/kafka", 500, 30_000),
)
"""By frequency, which falls as Zipf's law has it."""

RARE = Kind(_IMPORT, "PUT", "/api/admin/import/{id}", 507, 700_000)
"""Two calls in a million: its service, endpoint and status are of no other kind."""

BYGONE = Kind(_API, "HEAD", "/api/v0/messages", 410, 600)
BYGONE_USER = "user-of-old"
"""At the beginning alone: what a search from the newest on finds last."""

USERS = [f"user-{number:04d}" for number in range(1, 1001)]
"""By frequency, as Zipf's law has it."""

_KIND_WEIGHTS = [1 / rank**1.2 for rank in range(1, len(KINDS) + 1)]
_ANONYMOUS = frozenset({("POST", "/api/session"), ("POST", "/api/users")})


def spread(begin: datetime, end: datetime, count: int, *, skip: int = 0) -> Iterator[datetime]:
    """`count` rising moments from about `begin` up to `end`, few at one half of a day.

    The first `skip` of them are left out.
    """
    days = (end - begin) / timedelta(days=1)
    for number in range(count - skip, 0, -1):
        left = days * number / count
        yield end - timedelta(days=left - _DAY_WAVE * math.sin(math.tau * left) / math.tau)


def paced(begin: datetime, per_second: float) -> Iterator[datetime]:
    """Moments from `begin` on, so many a second, without end."""
    return (begin + timedelta(seconds=number / per_second) for number in itertools.count())


def calls(moments: Iterable[datetime], seed: int, *, bygone: int = 0) -> Iterator[CallEvent]:
    """A call at each moment; of the first `bygone` one in a hundred is of the bygone kind."""
    chance = random.Random(seed)
    kinds = _drawn(chance, (*KINDS, RARE), [*_KIND_WEIGHTS, _RARE_WEIGHT * sum(_KIND_WEIGHTS)])
    users = _drawn(chance, USERS, [1 / rank for rank in range(1, len(USERS) + 1)])
    for number, moment in enumerate(moments):
        kind, user = next(kinds), next(users)
        if number < bygone and number % _BYGONE_EVERY == 0:
            kind, user = BYGONE, BYGONE_USER
        yield _call(moment, kind, user, chance)


def _drawn(
    chance: random.Random, population: Sequence[Drawn], weights: Sequence[float]
) -> Iterator[Drawn]:
    """Draws without end; many at once, for that is several times as quick."""
    cumulated = list(itertools.accumulate(weights))
    while True:
        yield from chance.choices(population, cum_weights=cumulated, k=_DRAW)


def _call(moment: datetime, kind: Kind, user: str, chance: random.Random) -> CallEvent:
    duration_us = int(chance.lognormvariate(math.log(kind.median_us), _SPREAD))
    path = kind.endpoint.replace("{id}", str(chance.randrange(1, 1_000_000)))
    path = "/api/nowhere" if kind.endpoint == UNMATCHED else path
    user_id = None if (kind.method, kind.endpoint) in _ANONYMOUS else user
    by = f" by {user_id}" if user_id else ""
    return CallEvent(
        id=new_call_id(moment),
        timestamp=moment,
        service_name=kind.service_name,
        instance=chance.choice(_INSTANCES),
        method=kind.method,
        endpoint=kind.endpoint,
        path=path,
        status=kind.status,
        duration_us=duration_us,
        user_id=user_id,
        trace_id=f"{chance.getrandbits(128):032x}",
        message=f"{kind.method} {path} {kind.status} in {duration_us / 1000:.1f} ms{by}",
    )
