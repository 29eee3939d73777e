"""The apostrophe that defuses a code in lists is none of it; batches know how many of their list were left out."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
