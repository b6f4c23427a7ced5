"""Actions that impact.com lists and this app did not report"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "unknown_actions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_sid", sa.String(length=64), nullable=False),
        sa.Column("campaign_id", sa.String(length=10), nullable=False),
        sa.Column("action_id", sa.String(length=255), nullable=False),
        sa.Column("network_order_id", sa.String(length=255), nullable=False),
        sa.Column("event_type_id", sa.String(length=255), nullable=False),
        sa.Column("event_date", _MOMENT),
        sa.Column("amount", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("partner_id", sa.String(length=255), nullable=False),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("resolved_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unknown_actions")),
        sa.UniqueConstraint(
            "account_sid", "action_id", name=op.f("uq_unknown_actions_account_sid_action_id")
        ),
    )
    op.create_index("ix_unknown_actions_order", "unknown_actions", ["account_sid", "network_order_id"])


def downgrade() -> None:
    op.drop_index("ix_unknown_actions_order", table_name="unknown_actions")
    op.drop_table("unknown_actions")
