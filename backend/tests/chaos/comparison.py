"""What clients were answered against what history and statistics hold, id by id."""

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product
from uuid import UUID

from sqlalchemy import func, select

from madang.calls.kinds import ALL_KINDS
from madang.calls.models import Call, CallStatistics, KafkaOffset, RejectedEvent
from madang.db.engine import Database
from tests.services.errors import ServiceError
from tests.services.waiting import wait_until

CATCH_UP_SECONDS = 40.0
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


class History:
    """What the database holds, read past the application."""

    def __init__(self, database_url: str) -> None:
        self.database = Database(database_url, pool_size=1)

    def ids(self) -> list[UUID]:
        """Every call."""
        with self.database.read() as connection:
            return list(connection.execute(select(Call.id)).scalars())

    def holds(self, calls: Collection[UUID]) -> bool:
        """Whether all of these are recorded."""
        with self.database.read() as connection:
            rows = connection.execute(select(func.count()).select_from(Call)).scalar_one()
        return rows >= len(calls) and set(calls) <= set(self.ids())

    def rows_by(self, step_seconds: int) -> Counter[datetime]:
        """How many calls began, or were received if that is what counts, in each step."""
        with self.database.read() as connection:
            rows = connection.execute(select(Call.timestamp, Call.counted_at)).all()
        step = timedelta(seconds=step_seconds)
        moments = (counted_at or timestamp for timestamp, counted_at in rows)
        return Counter(_EPOCH + (moment - _EPOCH) // step * step for moment in moments)

    def counted_at(self) -> dict[UUID, datetime]:
        """When the calls that were dated ahead were received."""
        marked = select(Call.id, Call.counted_at).where(Call.counted_at.is_not(None))
        with self.database.read() as connection:
            return {call_id: moment for call_id, moment in connection.execute(marked) if moment}

    def counted_by(self, step_seconds: int, *, together: bool) -> Counter[datetime]:
        """How many calls the statistics count in each step: kind by kind, or all together."""
        is_all = CallStatistics.kind_id == ALL_KINDS
        counts = (
            select(CallStatistics.start, func.sum(CallStatistics.calls))
            .where(CallStatistics.step_seconds == step_seconds, is_all if together else ~is_all)
            .group_by(CallStatistics.start)
        )
        with self.database.read() as connection:
            return Counter(
                {
                    _EPOCH + timedelta(seconds=start): int(calls)
                    for start, calls in connection.execute(counts)
                }
            )

    def rejected(self) -> list[tuple[str, bytes]]:
        """Reason and value of what was no call event."""
        with self.database.read() as connection:
            rows = connection.execute(select(RejectedEvent.reason, RejectedEvent.value)).all()
        return [(reason, value) for reason, value in rows]

    def offsets(self) -> dict[tuple[str, int], tuple[int, int]]:
        """By topic and partition: the next offset, and how many before it were lost."""
        columns = (
            KafkaOffset.topic_id,
            KafkaOffset.partition,
            KafkaOffset.next_offset,
            KafkaOffset.lost,
        )
        with self.database.read() as connection:
            return {
                (topic_id, partition): (following, lost)
                for topic_id, partition, following, lost in connection.execute(select(*columns))
            }

    def close(self) -> None:
        """Let go of the connection."""
        self.database.close()


def differences(answered: Iterable[UUID], recorded: Iterable[UUID]) -> list[str]:
    """What is wrong between the ledger and history, naming each call."""
    counts = Counter(recorded)
    missing = [
        f"{call_id} was answered and is missing" for call_id in answered if not counts[call_id]
    ]
    doubled = [
        f"{call_id} is there {count} times" for call_id, count in counts.items() if count > 1
    ]
    return missing + doubled


def assert_whole(answered: Collection[UUID], history: History) -> None:
    """Wait until history has caught up, then compare id by id and statistics with rows."""
    assert len(set(answered)) == len(answered), "an identifier was given twice"
    with suppress(ServiceError):  # the comparison below says which calls were waited for in vain
        wait_until(lambda: history.holds(answered), CATCH_UP_SECONDS, "history")
    assert differences(answered, history.ids()) == []
    assert_counted(history)


def assert_counted(history: History) -> None:
    """Statistics by minute and by hour count exactly the rows of history."""
    for step_seconds, together in product((60, 3600), (False, True)):
        counted = history.counted_by(step_seconds, together=together)
        rows = history.rows_by(step_seconds)
        wrong = {
            f"{start:%FT%H:%M}: {counted[start]} counted, {rows[start]} rows"
            for start in counted.keys() | rows.keys()
            if counted[start] != rows[start]
        }
        assert not wrong, f"statistics by {step_seconds} s: {wrong}"
