"""Accounts, sessions and messages.

Can be run again after a crash between any two of its statements: MariaDB commits each by itself.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from madang.db.base import MARIADB_TABLE, BigId, Binary, UtcDateTime, UuidBytes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBERED = {**MARIADB_TABLE, "sqlite_autoincrement": True}
_COUNT_SHARDS = 16


def upgrade() -> None:
    """Make the tables and their first rows."""
    _make_compatibility()
    _make_accounts()
    _make_messages()
    _make_counts()
    if op.get_bind().dialect.name == "sqlite":
        _make_fts5()
    else:
        _make_fulltext()


def _make_compatibility() -> None:
    op.create_table(
        "schema_compatibility",
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("minimum_version", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_schema_compatibility"),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.execute(
        "INSERT INTO schema_compatibility (id, minimum_version) SELECT 1, '0.1.0' "
        "WHERE NOT EXISTS (SELECT 1 FROM schema_compatibility)"
    )


def _make_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", BigId, nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("username_key", sa.String(64), nullable=False),
        sa.Column("display_name", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("role", sa.SmallInteger, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("disabled_at", UtcDateTime),
        sa.Column("deleted_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
        if_not_exists=True,
        **_NUMBERED,
    )
    op.create_table(
        "sessions",
        sa.Column("digest", Binary(32), nullable=False),
        sa.Column("id", UuidBytes, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_seen_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sa.UniqueConstraint("id", name="uq_sessions_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], if_not_exists=True)
    op.create_table(
        "revocations",
        sa.Column("id", BigId, nullable=False),
        sa.Column("session_digest", Binary(32)),
        sa.Column("user_id", BigId),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_revocations_user_id"),
        if_not_exists=True,
        **_NUMBERED,
    )
    op.create_index("ix_revocations_user_id", "revocations", ["user_id"], if_not_exists=True)


def _make_messages() -> None:
    terms = sa.Text().with_variant(
        mysql.MEDIUMTEXT(charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
    )
    op.create_table(
        "messages",
        sa.Column("id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("terms", terms, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("edited_at", UtcDateTime),
        sa.Column("hidden_at", UtcDateTime),
        sa.Column("call_id", UuidBytes),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_messages_user_id"),
        if_not_exists=True,
        **_NUMBERED,
    )
    op.create_index("ix_messages_user_id_id", "messages", ["user_id", "id"], if_not_exists=True)


def _make_counts() -> None:
    op.create_table(
        "message_counts",
        sa.Column("shard", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("shard", name="pk_message_counts"),
        if_not_exists=True,
        **MARIADB_TABLE,
    )
    shards = " UNION ALL ".join(f"SELECT {shard} AS shard" for shard in range(_COUNT_SHARDS))
    op.execute(
        f"INSERT INTO message_counts (shard, total) SELECT shard, 0 FROM ({shards}) AS shards "  # noqa: S608  # numbers
        "WHERE NOT EXISTS (SELECT 1 FROM message_counts)"
    )


def _make_fulltext() -> None:
    op.create_index(
        "ft_messages_terms",
        "messages",
        ["terms"],
        if_not_exists=True,
        mysql_prefix="FULLTEXT",
        mariadb_prefix="FULLTEXT",
    )


def _make_fts5() -> None:
    """An index beside the table, kept by triggers, without a second copy of the terms."""
    op.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS messages_fts USING fts5("
        "terms, content='messages', content_rowid='id', tokenize='ascii', detail='none', "
        "columnsize=0)"
    )
    remove = (
        "INSERT INTO messages_fts (messages_fts, rowid, terms) VALUES ('delete', old.id, old.terms)"
    )
    add = "INSERT INTO messages_fts (rowid, terms) VALUES (new.id, new.terms)"
    for name, event, statements in (
        ("messages_fts_added", "AFTER INSERT", f"{add};"),
        ("messages_fts_removed", "AFTER DELETE", f"{remove};"),
        ("messages_fts_changed", "AFTER UPDATE OF terms", f"{remove}; {add};"),
    ):
        op.execute(
            f"CREATE TRIGGER IF NOT EXISTS {name} {event} ON messages BEGIN {statements} END"
        )
