"""Partners' keys have names, and say when they were last used."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0005"
down_revision = "0002"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
