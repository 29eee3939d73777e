"""A code that covers nothing but tickets of another code of its offer is held without tickets of its own."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
