"""The call log's tables: history, statistics, offsets and what was rejected."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, String
from sqlalchemy.dialects.mysql import MEDIUMBLOB
from sqlalchemy.orm import Mapped, mapped_column

from madang.db.base import MARIADB_TABLE, Base, BigId, UtcDateTime, UuidBytes

Bytes = LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")


class CallKind(Base):
    """What calls have in common; see `kinds`."""

    __tablename__ = "call_kinds"

    id: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    service_name: Mapped[str] = mapped_column(String(64))
    endpoint: Mapped[str] = mapped_column(String(255))
    method: Mapped[str] = mapped_column(String(16))
    status: Mapped[int] = mapped_column(SmallInteger())


class Call(Base):
    """One answered call. The identifier sorts by time, so every index is newest-last by itself."""

    __tablename__ = "calls"

    id: Mapped[UUID] = mapped_column(UuidBytes(), primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(UtcDateTime())
    service_name: Mapped[str] = mapped_column(String(64))
    instance: Mapped[str] = mapped_column(String(128))
    method: Mapped[str] = mapped_column(String(16))
    endpoint: Mapped[str] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(String(2048))
    status: Mapped[int] = mapped_column(SmallInteger())
    kind_id: Mapped[int] = mapped_column(BigInteger())
    """The number of its service, endpoint, method and status in `call_kinds`."""

    duration_us: Mapped[int] = mapped_column(BigInteger())
    user_id: Mapped[str | None] = mapped_column(String(64))
    trace_id: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(String(512))
    counted_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    """Set where the sender's clock ran ahead: the receipt, under which statistics count it."""

    __table_args__ = (
        Index("ix_calls_kind_id", "kind_id", "id"),
        Index("ix_calls_user_id", "user_id", "id", "kind_id"),
        MARIADB_TABLE,
    )


class CallAhead(Base):
    """A call of `calls` that has `counted_at`, to be found by it."""

    __tablename__ = "calls_ahead"

    counted_at: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    id: Mapped[UUID] = mapped_column(UuidBytes(), primary_key=True)


class CallStatistics(Base):
    """Calls of one kind, or of all, that began within one step, seen through one partition."""

    __tablename__ = "call_statistics"

    step_seconds: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    start: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    """Seconds since 1970."""

    partition: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    kind_id: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    """A number of `call_kinds`, or 0 for calls of every kind together."""

    calls: Mapped[int] = mapped_column(BigInteger())
    errors: Mapped[int] = mapped_column(BigInteger())
    duration_sum_us: Mapped[int] = mapped_column(BigInteger())
    sketch: Mapped[bytes] = mapped_column(Bytes)
    """Durations in microseconds as a DDSketch; see `sketch`."""


class UserStatistics(Base):
    """Calls of one user that began within one hour, seen through one partition."""

    __tablename__ = "user_statistics"

    start: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    """The hour, in seconds since 1970."""

    partition: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    calls: Mapped[int] = mapped_column(BigInteger())
    errors: Mapped[int] = mapped_column(BigInteger())


class KafkaOffset(Base):
    """The next offset to record of one partition of one topic, by the topic's identifier.

    A spool's segment is a topic of one partition, and its offsets are bytes.
    """

    __tablename__ = "kafka_offsets"

    topic_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    partition: Mapped[int] = mapped_column(Integer(), primary_key=True, autoincrement=False)
    next_offset: Mapped[int] = mapped_column(BigInteger())
    lost: Mapped[int] = mapped_column(BigInteger())
    """Offsets that the topic had dropped before they could be recorded."""


class RejectedEvent(Base):
    """Bytes found where a call event should be, with the reason they are none."""

    __tablename__ = "rejected_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    topic_id: Mapped[str] = mapped_column(String(64))
    partition: Mapped[int] = mapped_column(Integer())
    position: Mapped[int] = mapped_column(BigInteger())
    """The offset after it."""

    received_at: Mapped[datetime] = mapped_column(UtcDateTime())
    reason: Mapped[str] = mapped_column(String(512))
    value: Mapped[bytes] = mapped_column(Bytes)
