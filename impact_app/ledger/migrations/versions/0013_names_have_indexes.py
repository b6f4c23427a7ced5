"""Orders are found by promo code and by partner without looking through all of them"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_orders_code", "orders", ["store_id", "promo_code"])
    op.create_index("ix_orders_partner", "orders", ["store_id", "partner_name"])


def downgrade() -> None:
    op.drop_index("ix_orders_partner", "orders")
    op.drop_index("ix_orders_code", "orders")
