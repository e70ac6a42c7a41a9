"""What a next version may do to the database: add, slowly, while the version before goes on."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = max(path.stem[:4] for path in Path(__file__).parent.glob("[0-9]*.py"))
branch_labels = None
depends_on = None

SLOWNESS_SECONDS = 8


def upgrade() -> None:
    """Add a column that the version before does not know, then a table."""
    op.add_column("messages", sa.Column("mood", sa.String(16), nullable=True))
    op.execute(f"DO SLEEP({SLOWNESS_SECONDS})")
    op.create_table("moods", sa.Column("name", sa.String(16), primary_key=True))


def downgrade() -> None:
    """Migrations only go forward."""
    raise NotImplementedError
