"""Offers have descriptions and terms, performances an end of sale; codes that are switched off say so."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
