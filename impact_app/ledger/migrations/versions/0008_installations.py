"""What a platform told of an installation beside its tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # It may be absent, so that the version running before goes on writing its rows.
    op.add_column("stores", sa.Column("installation", sa.JSON()))


def downgrade() -> None:
    op.drop_column("stores", "installation")
