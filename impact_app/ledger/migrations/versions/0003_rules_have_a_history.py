"""Every version of a store's rules is kept, and what was reported remembers its own"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rule_versions",
        sa.Column("store_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True)),
        sa.Column("saved_by", sa.String(length=255), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_rule_versions_store_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("store_id", "version", name=op.f("pk_rule_versions")),
    )
    op.execute(
        "INSERT INTO rule_versions (store_id, version, rules) SELECT id, rules_version, rules FROM stores"
    )
    # Each may be absent, so that the version running before goes on writing its rows.
    op.add_column("steps", sa.Column("rules_version", sa.Integer()))
    op.add_column("conversions", sa.Column("rules_version", sa.Integer()))
    # Older versions of the rules are gone; those in force now are what these orders were judged by last.
    op.execute(
        "UPDATE conversions SET rules_version = (SELECT stores.rules_version FROM orders "
        "JOIN stores ON stores.id = orders.store_id WHERE orders.id = conversions.order_row_id)"
    )


def downgrade() -> None:
    op.drop_column("conversions", "rules_version")
    op.drop_column("steps", "rules_version")
    op.drop_table("rule_versions")
