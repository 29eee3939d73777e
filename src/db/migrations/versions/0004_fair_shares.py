"""How long a basket lives in all, what each client has open, and keys that are a basket's own."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
