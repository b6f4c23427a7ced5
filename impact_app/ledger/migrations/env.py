"""Alembic runs this to apply migrations on the connection that `ledger.schema` hands over."""

from alembic import context

from impact_app.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_server_default=False,
)
context.run_migrations()
