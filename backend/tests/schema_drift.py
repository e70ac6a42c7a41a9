"""The difference between the models and a migrated database."""

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

import madang.accounts.models
import madang.calls.models
import madang.db.migrate
import madang.messages.models  # noqa: F401  # each adds its tables to the metadata
from madang.db.base import Base


def drift(connection: Connection) -> list[Any]:
    """What a migration would still have to change; nothing, when all is well."""
    options = {"include_object": _is_ours, "compare_type": True}
    return list(
        compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    )


def _is_ours(
    item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None
) -> bool:
    """Leave out SQLite's full-text table with its shadows, and indexes SQLite does not have."""
    if kind == "table":
        return not (name or "").startswith("messages_fts")
    return name != "ft_messages_terms"
