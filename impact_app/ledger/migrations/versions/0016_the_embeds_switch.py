"""Whether the app embed is on, who told, and since when"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_COLUMNS: tuple[tuple[str, sa.types.TypeEngine[Any]], ...] = (
    ("embed_on", sa.Boolean()),
    ("embed_told_by", sa.String(length=16)),
    ("embed_told_at", sa.DateTime(timezone=True)),
    ("embed_changed_at", sa.DateTime(timezone=True)),
    ("embed_theme", sa.String(length=64)),
    ("embed_deployed", sa.Boolean()),
    ("embed_fault", sa.Text()),
    ("embed_looked_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    for name, kind in _COLUMNS:
        op.add_column("stores", sa.Column(name, kind))


def downgrade() -> None:
    for name, _kind in reversed(_COLUMNS):
        op.drop_column("stores", name)
