"""Mails are sent outside of transactions: a batch says until when somebody is sending its list."""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
