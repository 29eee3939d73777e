"""Uses of codes are recorded for ever: those of all orders so far, cancelled ones too, as far as the ledger tells."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
