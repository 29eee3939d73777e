"""The schema's history: Alembic revisions, applied by ``db.migrate``.

A revision never imports ``db.tables``: it must go on doing what it did when the tables have moved on.
"""
