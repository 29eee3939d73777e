"""The database notes in which transaction each part of a catalogue changed last."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
