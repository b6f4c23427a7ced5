"""What pages count by stands in columns of its own, and one index holds all of it"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COUNTED = (
    "store_id",
    "placed_on",
    "verdict",
    "reason",
    "currency",
    "carrier",
    "partner_name",
    "promo_code",
    "net_minor",
)


def upgrade() -> None:
    # Each may be absent, so that the version running before goes on writing its rows.
    op.add_column("orders", sa.Column("placed_on", sa.Date()))
    op.add_column("orders", sa.Column("promo_code", sa.String(length=255)))
    op.add_column("orders", sa.Column("partner_name", sa.String(length=255)))
    op.add_column("orders", sa.Column("email_sha1", sa.String(length=40)))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    day = "date(placed_at)" if is_sqlite else "(placed_at AT TIME ZONE 'UTC')::date"
    code = "json_extract(evidence, '$.promo_code')" if is_sqlite else "evidence->>'promo_code'"
    op.execute(f"UPDATE orders SET placed_on = {day}, promo_code = {code}")  # noqa: S608 - our own words
    op.execute(
        "UPDATE orders SET partner_name = (SELECT max(conversions.partner_name) FROM conversions "
        "WHERE conversions.order_row_id = orders.id)"
    )
    op.create_index("ix_orders_counted", "orders", _COUNTED)
    op.create_index("ix_orders_email", "orders", ["store_id", "email_sha1"])
    op.create_index("ix_orders_number", "orders", ["store_id", "number"])
    op.create_index("ix_orders_click", "orders", ["store_id", "click_id"])


def downgrade() -> None:
    for name in ("counted", "email", "number", "click"):
        op.drop_index(f"ix_orders_{name}", "orders")
    for name in ("email_sha1", "partner_name", "promo_code", "placed_on"):
        op.drop_column("orders", name)
