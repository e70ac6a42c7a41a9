"""How far each partition is recorded. Its row, locked, is the fence around a partition's writes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from madang.calls.models import KafkaOffset, RejectedEvent

LONGEST_REASON = 512


def find(connection: Connection, topic_id: str, partition: int) -> int | None:
    """The next offset to record, or None where nothing is known of the partition."""
    return connection.execute(
        select(KafkaOffset.next_offset).where(_is(topic_id, partition))
    ).scalar_one_or_none()


def find_all(connection: Connection, topic_id: str) -> dict[int, int]:
    """The next offset to record of each partition that is known."""
    statement = select(KafkaOffset.partition, KafkaOffset.next_offset).where(
        KafkaOffset.topic_id == topic_id
    )
    return dict(connection.execute(statement).all())


def begin(connection: Connection, topic_id: str, partition: int, first: int = 0) -> None:
    """Know of a partition, from its first offset."""
    connection.execute(
        insert(KafkaOffset).values(
            topic_id=topic_id, partition=partition, next_offset=first, lost=0
        )
    )


def lock(connection: Connection, topic_id: str, partition: int) -> int | None:
    """As `find`, and nobody else moves it until this transaction ends."""
    return connection.execute(
        select(KafkaOffset.next_offset).where(_is(topic_id, partition)).with_for_update()
    ).scalar_one_or_none()


def lock_all(connection: Connection) -> set[tuple[str, int]]:
    """Which partitions are known; none of them moves until this transaction ends."""
    rows = connection.execute(select(KafkaOffset.topic_id, KafkaOffset.partition).with_for_update())
    return {(topic_id, partition) for topic_id, partition in rows}


def move(
    connection: Connection, topic_id: str, partition: int, next_offset: int, *, lost: int = 0
) -> None:
    """Note that all before `next_offset` is recorded, but for `lost` more offsets."""
    connection.execute(
        update(KafkaOffset)
        .where(_is(topic_id, partition))
        .values(next_offset=next_offset, lost=KafkaOffset.lost + lost)
    )


def forget(connection: Connection, topic_id: str) -> None:
    """Forget a topic that is gone for good: a segment that was deleted."""
    connection.execute(delete(KafkaOffset).where(KafkaOffset.topic_id == topic_id))


def reject(
    connection: Connection,
    topic_id: str,
    partition: int,
    received_at: datetime,
    rejected: Sequence[tuple[int, str, bytes]],
) -> None:
    """Keep what is no call event: (offset, reason, value) each."""
    rows = [
        {
            "topic_id": topic_id,
            "partition": partition,
            "position": offset,
            "received_at": received_at,
            "reason": reason[:LONGEST_REASON],
            "value": value,
        }
        for offset, reason, value in rejected
    ]
    if rows:
        connection.execute(insert(RejectedEvent), rows)


def _is(topic_id: str, partition: int) -> ColumnElement[bool]:
    return and_(KafkaOffset.topic_id == topic_id, KafkaOffset.partition == partition)
