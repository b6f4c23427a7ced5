"""What a person decided about an order"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("decision", sa.String(length=16)))


def downgrade() -> None:
    op.drop_column("orders", "decision")
