"""Orders are found by all that a clerk knows of them, and say by whom they were cancelled."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
