"""Alembic's environment: runs on the connection that `madang.db.migrate` hands over."""

from alembic import context

from madang.db.base import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=connection.dialect.name == "sqlite",
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
