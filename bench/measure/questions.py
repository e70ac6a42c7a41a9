"""The questions that history is asked: each filter with values that are common, rare and absent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from madang.clock import rfc3339
from measure.events import BYGONE, BYGONE_USER, KINDS, RARE, USERS

COMMON, MEDIUM = KINDS[0], KINDS[21]
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Question:
    """A page of history: which filters, what their values are like, and the query itself."""

    filters: str
    values: str
    query: Mapping[str, str]
    is_wanted: bool = False
    """Whether it is one of those that the target is for."""


def questions(begin: datetime, end: datetime) -> list[Question]:
    """All, for a history from `begin` to `end`."""
    times = _times(begin, end)
    return [
        Question("none", "", {}, is_wanted=True),
        Question("none", "reads of the log hidden", {"log_reads": "false"}, is_wanted=True),
        *_singles("endpoint", _ENDPOINTS),
        *_singles("method", _METHODS),
        *_singles("status", _STATUSES),
        *_singles("user", _USERS),
        *_singles("service", _SERVICES),
        *(Question("time", name, time, is_wanted=True) for name, time in times.items()),
        *_pairs(times),
    ]


_ENDPOINTS = {
    "common": COMMON.endpoint,
    "medium": MEDIUM.endpoint,
    "rare": RARE.endpoint,
    "bygone": BYGONE.endpoint,
    "absent": "/api/never",
}
_METHODS = {"common": "GET", "rare": RARE.method, "bygone": BYGONE.method, "absent": "TRACE"}
_STATUSES = {
    "common": "200",
    "medium": "404",
    "rare": str(RARE.status),
    "bygone": str(BYGONE.status),
    "absent": "418",
    "common class": "2xx",
    "medium class": "4xx",
    "rare class": "5xx",
    "absent class": "1xx",
}
_USERS = {
    "common": USERS[0],
    "medium": USERS[99],
    "rare": USERS[-1],
    "bygone": BYGONE_USER,
    "absent": "nobody",
}
_SERVICES = {
    "common": COMMON.service_name,
    "medium": KINDS[4].service_name,
    "rare": RARE.service_name,
    "absent": "madang-never",
}


def _times(begin: datetime, end: datetime) -> dict[str, dict[str, str]]:
    middle = begin + (end - begin) / 2
    spans = {
        "last hour": (end - _HOUR, end),
        "a day in the middle": (middle, middle + _DAY),
        "a minute in the middle": (middle, middle + _MINUTE),
        "before all": (begin - _DAY, begin - _HOUR),
    }
    return {name: {"from": rfc3339(a), "to": rfc3339(b)} for name, (a, b) in spans.items()}


def _singles(parameter: str, values: Mapping[str, str]) -> Iterator[Question]:
    for name, value in values.items():
        yield Question(parameter, name, {parameter: value}, is_wanted=True)


_ENDPOINT_AND_STATUS = (
    ("common", "common"),
    ("common", "rare class"),
    ("common", "rare"),
    ("medium", "common"),
    ("rare", "rare"),
    ("bygone", "bygone"),
    ("bygone", "common"),
)
_USER_AND_MORE = (
    ("common", "common"),
    ("common", "rare"),
    ("common", "bygone"),
    ("rare", "common"),
    ("rare", "rare"),
    ("bygone", "common"),
)
_AND_TIME = (
    ("common", "a day in the middle"),
    ("common", "last hour"),
    ("rare", "a day in the middle"),
    ("bygone", "a day in the middle"),
    ("common", "before all"),
)


def _pairs(times: Mapping[str, Mapping[str, str]]) -> Iterator[Question]:
    for one, other in _ENDPOINT_AND_STATUS:
        query = {"endpoint": _ENDPOINTS[one], "status": _STATUSES[other]}
        yield Question("endpoint, status", f"{one}, {other}", query, is_wanted=True)
    for parameter, values in (("user", _USERS), ("endpoint", _ENDPOINTS), ("status", _STATUSES)):
        for value, time in _AND_TIME:
            yield Question(
                f"{parameter}, time",
                f"{value}, {time}",
                {parameter: values[value], **times[time]},
                is_wanted=parameter == "user",
            )
    for parameter, values in (("endpoint", _ENDPOINTS), ("status", _STATUSES)):
        for user, value in _USER_AND_MORE:
            query = {"user": _USERS[user], parameter: values[value]}
            yield Question(f"user, {parameter}", f"{user}, {value}", query)
