"""Reading back what impact.com made of a conversion"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def _columns() -> list[sa.Column[Any]]:
    """Each may be absent or has a default, so that the version running before goes on writing its rows."""
    return [
        sa.Column("check_at", _MOMENT),
        sa.Column("checks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checked_at", _MOMENT),
        sa.Column("finding", sa.String(length=16)),
        sa.Column("finding_detail", sa.Text(), server_default="", nullable=False),
        sa.Column("action_id", sa.String(length=64)),
        sa.Column("partner_id", sa.String(length=64)),
        sa.Column("partner_name", sa.String(length=255)),
        sa.Column("action_state", sa.String(length=16)),
        sa.Column("action_amount", sa.String(length=40)),
        sa.Column("action_currency", sa.String(length=8)),
        sa.Column("payout", sa.String(length=40)),
        sa.Column("locking_date", _MOMENT),
    ]


def upgrade() -> None:
    for column in _columns():
        op.add_column("conversions", column)
    op.create_index(
        "ix_conversions_check",
        "conversions",
        ["check_at"],
        unique=False,
        sqlite_where=sa.text("check_at IS NOT NULL"),
        postgresql_where=sa.text("check_at IS NOT NULL"),
    )
    op.create_table(
        "lookups",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_sid", sa.String(length=64), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lookups")),
    )
    op.create_index("ix_lookups_account", "lookups", ["account_sid", "at"], unique=False)
    # What was accepted before is looked up as well; the address kept for it may be that of a later change,
    # which tells nothing of the conversion.
    op.execute("UPDATE conversions SET check_at = accepted_at")
    op.execute("UPDATE conversions SET queued_uri = NULL WHERE changed_at <> accepted_at")


def downgrade() -> None:
    op.drop_table("lookups")
    op.drop_index("ix_conversions_check", table_name="conversions")
    for column in reversed(_columns()):
        op.drop_column("conversions", column.name)
