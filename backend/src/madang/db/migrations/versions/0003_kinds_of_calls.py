"""Kinds of calls as numbers, in history and in statistics.

Statistics begin anew here; `madang recount` makes those of the calls that history has already.
"""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMBLOB

from madang.db.base import MARIADB_TABLE, UtcDateTime, UuidBytes

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Bytes = sa.LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb")

_KIND = ("service_name", "endpoint", "method", "status")


def upgrade() -> None:
    """Make the tables, number the calls that are there, and change the indexes."""
    op.execute("UPDATE schema_compatibility SET minimum_version = '0.2.0'")
    _make_kinds()
    if "kind_id" not in {
        column["name"] for column in sa.inspect(op.get_bind()).get_columns("calls")
    }:
        op.add_column(
            "calls", sa.Column("kind_id", sa.BigInteger, nullable=False, server_default="0")
        )
    _number_calls()
    op.create_index("ix_calls_kind_id", "calls", ["kind_id", "id"], if_not_exists=True)
    op.drop_index("ix_calls_user_id", "calls", if_exists=True)
    op.create_index("ix_calls_user_id", "calls", ["user_id", "id", "kind_id"])
    op.drop_index("ix_calls_endpoint_status", "calls", if_exists=True)
    op.drop_index("ix_calls_status", "calls", if_exists=True)
    _make_statistics()


def _make_kinds() -> None:
    op.create_table(
        "call_kinds",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("service_name", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.String(255), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.create_table(
        "calls_ahead",
        sa.Column("counted_at", UtcDateTime, primary_key=True),
        sa.Column("id", UuidBytes, primary_key=True),
        if_not_exists=True,
        **MARIADB_TABLE,
    )


def _number_calls() -> None:
    connection = op.get_bind()
    kinds = connection.execute(
        sa.text(f"SELECT DISTINCT {', '.join(_KIND)} FROM calls WHERE kind_id = 0")  # noqa: S608  # our own names
    ).all()
    ignore = "OR IGNORE" if connection.dialect.name == "sqlite" else "IGNORE"
    for kind in kinds:
        row = {"id": _number_of(kind), **dict(zip(_KIND, kind, strict=True))}
        names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        same = " AND ".join(f"{name} = :{name}" for name in _KIND)
        connection.execute(
            sa.text(f"INSERT {ignore} INTO call_kinds ({names}) VALUES ({values})"),  # noqa: S608
            row,
        )
        connection.execute(
            sa.text(f"UPDATE calls SET kind_id = :id WHERE kind_id = 0 AND {same}"),  # noqa: S608
            row,
        )
    connection.execute(
        sa.text(
            f"INSERT {ignore} INTO calls_ahead (counted_at, id) "  # noqa: S608
            "SELECT counted_at, id FROM calls WHERE counted_at IS NOT NULL"
        )
    )


def _number_of(kind: sa.Row[tuple[str, str, str, int]]) -> int:
    text = "\n".join(str(part) for part in kind)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def _make_statistics() -> None:
    op.drop_table("call_statistics", if_exists=True)
    op.create_table(
        "call_statistics",
        sa.Column("step_seconds", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        sa.Column("duration_sum_us", sa.BigInteger, nullable=False),
        sa.Column("sketch", Bytes, nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.drop_table("user_statistics", if_exists=True)
    op.create_table(
        "user_statistics",
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("errors", sa.BigInteger, nullable=False),
        if_not_exists=True,
        **MARIADB_TABLE,
    )


def downgrade() -> None:
    """There is no way back: the version before counts in tables of another shape."""
    raise NotImplementedError("restore a backup to go back before 0003")
