"""The call log: history, statistics, offsets, rejected events."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMBLOB

from madang.db.base import MARIADB_TABLE, BigId, UtcDateTime, UuidBytes

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

Bytes = sa.LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables; what a crashed run made already is left as it is."""
    _create_calls()
    _create_statistics()
    op.create_table(
        "kafka_offsets",
        sa.Column("topic_id", sa.String(64), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.create_table(
        "rejected_events",
        sa.Column("id", BigId, primary_key=True),
        sa.Column("topic_id", sa.String(64), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(512), nullable=False),
        sa.Column("value", Bytes, nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", UuidBytes(), primary_key=True),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("service_name", sa.String(64), nullable=False),
        sa.Column("instance", sa.String(128), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("path", sa.String(2048), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(64)),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("message", sa.String(512), nullable=False),
        sa.Column("counted_at", UtcDateTime()),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    for name, columns in {
        "ix_calls_endpoint_status": ["endpoint", "status", "id"],
        "ix_calls_status": ["status", "id"],
        "ix_calls_user_id": ["user_id", "id"],
    }.items():
        op.create_index(name, "calls", columns, if_not_exists=True)


def _create_statistics() -> None:
    op.create_table(
        "call_statistics",
        sa.Column("step_seconds", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start", UtcDateTime(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("service_name", sa.String(64), primary_key=True),
        sa.Column("endpoint", sa.String(255), primary_key=True),
        sa.Column("method", sa.String(16), primary_key=True),
        sa.Column("status", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        sa.Column("duration_sum_us", sa.BigInteger(), nullable=False),
        sa.Column("sketch", Bytes, nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.create_table(
        "user_statistics",
        sa.Column("hour", UtcDateTime(), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("errors", sa.BigInteger(), nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )


def downgrade() -> None:
    """Take the tables away with all they hold."""
    op.drop_table("rejected_events")
    op.drop_table("kafka_offsets")
    op.drop_table("user_statistics")
    op.drop_table("call_statistics")
    op.drop_table("calls")
