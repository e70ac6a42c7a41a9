"""The one place that asks what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present moment as an aware UTC datetime with microseconds."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC, always with six digits of microseconds.

    The fixed width makes the text sort as the time does.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
