"""An order may have several conversions: itself, and what was added to it later"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each has a default, so that the version running before goes on writing its rows.
    op.add_column("steps", sa.Column("part", sa.Integer(), server_default="1", nullable=False))
    with op.batch_alter_table("conversions", naming_convention=_NAMES) as table:
        table.add_column(sa.Column("part", sa.Integer(), server_default="1", nullable=False))
        table.add_column(sa.Column("changes", sa.Integer(), server_default="0", nullable=False))
        table.drop_constraint("uq_conversions_order_row_id", type_="unique")
        table.create_unique_constraint("uq_conversions_order_row_id_part", ["order_row_id", "part"])
    op.execute(
        "UPDATE conversions SET changes = (SELECT count(*) FROM steps WHERE "
        "steps.order_row_id = conversions.order_row_id AND steps.state = 'accepted' "
        "AND steps.kind <> 'submit')"
    )


def downgrade() -> None:
    op.execute("DELETE FROM conversions WHERE part > 1")
    with op.batch_alter_table("conversions", naming_convention=_NAMES) as table:
        table.drop_constraint("uq_conversions_order_row_id_part", type_="unique")
        table.create_unique_constraint("uq_conversions_order_row_id", ["order_row_id"])
        table.drop_column("changes")
        table.drop_column("part")
    op.drop_column("steps", "part")


_NAMES = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
