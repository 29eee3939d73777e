"""Alembic's entry: runs the revisions on the connection, in the transaction that ``db.migrations.migrate`` opened."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
