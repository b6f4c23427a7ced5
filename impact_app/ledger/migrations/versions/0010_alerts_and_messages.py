"""Alerts, where they go, and the messages about them"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _store(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_store_id")
    return sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=255), server_default="", nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("money", sa.Text(), nullable=False),
        sa.Column("raised_at", _MOMENT, nullable=False),
        sa.Column("calm_since", _MOMENT),
        sa.Column("over_at", _MOMENT),
        sa.Column("told_at", _MOMENT),
        sa.Column("over_told_at", _MOMENT),
        _store("alerts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    lasts = sa.text("over_at IS NULL")
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["store_id", "cause", "subject"],
        unique=True,
        sqlite_where=lasts,
        postgresql_where=lasts,
    )
    op.create_index("ix_alerts_store", "alerts", ["store_id", "id"])
    op.create_table(
        "channels",
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("webhook_url", sa.Text()),
        sa.Column("digest", sa.String(length=8), nullable=False),
        sa.Column("digest_until", sa.Date()),
        _store("channels"),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_channels")),
    )
    op.create_table(
        "messages",
        sa.Column("id", _ID, nullable=False),
        sa.Column("store_id", _ID, nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("html", sa.Text()),
        sa.Column("state", sa.String(length=8), server_default="pending", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("settled_at", _MOMENT),
        _store("messages"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_messages_due",
        "messages",
        ["not_before", "id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    for table in ("messages", "channels", "alerts"):
        op.drop_table(table)
