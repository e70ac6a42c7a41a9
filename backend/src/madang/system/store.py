"""Questions to the call log's tables. SQL only."""

from sqlalchemy import Connection, func, select, text

from madang.calls import offsets
from madang.calls.models import KafkaOffset
from madang.calls.models import RejectedEvent as RejectedRow
from madang.system.models import RejectedEvent, TopicEnds

MOST_COUNTED = 10_000
"""Rejected events are counted no further: the rows hold their bytes, so counting reads them."""


def unrecorded_messages(connection: Connection, ends: TopicEnds) -> int:
    """How many messages of the topic are not in history yet, over all partitions."""
    waiting = waiting_offsets(connection, ends)
    return sum(ends.offsets[partition] - next_offset for partition, next_offset in waiting.items())


def waiting_offsets(connection: Connection, ends: TopicEnds) -> dict[int, int]:
    """The next offset to record of each partition that holds messages not in history yet."""
    recorded = offsets.find_all(connection, ends.topic_id)
    return {
        partition: recorded.get(partition, 0)
        for partition, end in enumerate(ends.offsets)
        if recorded.get(partition, 0) < end
    }


def lost_messages(connection: Connection) -> int:
    """How many messages were gone before they could be recorded, ever."""
    return int(connection.execute(select(func.sum(KafkaOffset.lost))).scalar() or 0)


def rejected_count(connection: Connection) -> int:
    """How many events are kept as rejected, up to MOST_COUNTED + 1."""
    some = select(RejectedRow.id).limit(MOST_COUNTED + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())


def newest_rejected(connection: Connection, limit: int) -> list[RejectedEvent]:
    """The newest rejected events without their bytes, newest first."""
    statement = (
        select(
            RejectedRow.received_at,
            RejectedRow.partition,
            RejectedRow.position,
            RejectedRow.reason,
            func.length(RejectedRow.value).label("size_bytes"),
        )
        .order_by(RejectedRow.id.desc())
        .limit(limit)
    )
    rows = connection.execute(statement).mappings()
    return [RejectedEvent.model_validate(dict(row)) for row in rows]


def server_version(connection: Connection) -> str:
    """What the database is."""
    if connection.dialect.name == "sqlite":
        return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()}"
    return str(connection.execute(text("SELECT VERSION()")).scalar_one())
