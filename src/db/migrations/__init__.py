"""The schema's history: Alembic revisions, applied by ``db.migrations.migrate``.

A revision never imports ``db.core.tables``: it must go on doing what it did when the tables have moved on.
"""
