"""How far each store was reconciled, what its days should hold, and how often a conversion was set right"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("stores", sa.Column("reconciled_until", sa.DateTime(timezone=True)))
    op.add_column("conversions", sa.Column("repairs", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "balances",
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("orders_there", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_balances_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "day", name=op.f("pk_balances")),
    )


def downgrade() -> None:
    op.drop_table("balances")
    op.drop_column("conversions", "repairs")
    op.drop_column("stores", "reconciled_until")
