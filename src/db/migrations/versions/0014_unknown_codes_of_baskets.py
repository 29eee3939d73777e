"""Baskets count the codes entered into them that there are not."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
