"""Clicks that reach the app beside the order, and what it set up in a store's storefront"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "clicks",
        sa.Column("id", _ID, nullable=False),
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("order_key", sa.String(length=64)),
        sa.Column("click", sa.String(length=64), nullable=False),
        sa.Column("consent", sa.String(length=8), nullable=False),
        sa.Column("event", sa.String(length=24), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("first_at", _MOMENT, nullable=False),
        sa.Column("completed_at", _MOMENT),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("look_at", _MOMENT),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_clicks_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clicks")),
        sa.UniqueConstraint("store_id", "kind", "key", name=op.f("uq_clicks_store_id_kind_key")),
    )
    op.create_index("ix_clicks_first", "clicks", ["store_id", "first_at"])
    op.create_index("ix_clicks_expires", "clicks", ["expires_at"])
    is_due = sa.text("look_at IS NOT NULL")
    op.create_index("ix_clicks_look", "clicks", ["look_at"], sqlite_where=is_due, postgresql_where=is_due)
    # Each may be absent, so that the version running before goes on writing its rows.
    op.add_column("orders", sa.Column("checkout_token", sa.String(length=128)))
    op.add_column("orders", sa.Column("cart_token", sa.String(length=128)))
    op.add_column("orders", sa.Column("click_due_at", _MOMENT))
    op.add_column("orders", sa.Column("click_looks_left", sa.Integer()))
    op.create_index("ix_orders_checkout", "orders", ["store_id", "checkout_token"])
    op.create_index("ix_orders_cart", "orders", ["store_id", "cart_token"])
    is_waiting = sa.text("click_due_at IS NOT NULL")
    op.create_index(
        "ix_orders_click_due",
        "orders",
        ["click_due_at"],
        sqlite_where=is_waiting,
        postgresql_where=is_waiting,
    )
    op.add_column("stores", sa.Column("domains", sa.JSON()))
    op.add_column("stores", sa.Column("pixel_id", sa.String(length=64)))
    op.add_column("stores", sa.Column("capture_fault", sa.Text()))
    op.add_column("stores", sa.Column("capture_checked_at", _MOMENT))
    op.add_column("stores", sa.Column("capture_due_at", _MOMENT))
    op.add_column("stores", sa.Column("capture_tries", sa.Integer(), nullable=False, server_default="0"))
    # What this version sets up in a storefront is missing in every store that was connected before.
    op.execute("UPDATE stores SET capture_due_at = CURRENT_TIMESTAMP WHERE state = 'connected'")


def downgrade() -> None:
    for name in ("tries", "due_at", "checked_at", "fault"):
        op.drop_column("stores", f"capture_{name}")
    op.drop_column("stores", "pixel_id")
    op.drop_column("stores", "domains")
    for name in ("click_due", "cart", "checkout"):
        op.drop_index(f"ix_orders_{name}", table_name="orders")
    for name in ("click_looks_left", "click_due_at", "cart_token", "checkout_token"):
        op.drop_column("orders", name)
    op.drop_table("clicks")
