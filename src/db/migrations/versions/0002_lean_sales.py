"""Fewer checks and indexes on the way of every sale, and prices kept as they are written."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
