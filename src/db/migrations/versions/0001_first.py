"""Every table of the first release, and those of PgQueuer 1.6.0, the queue that workers take their jobs from.

PgQueuer's own statements stand here as that version wrote them: a later one wants other tables, and gets them by a
revision of its own.
"""

from pathlib import Path

from db.migrations.scripts import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    here = Path(__file__).parent
    run_script(here / "0001_tables.sql")
    run_script(here / "0001_queue.sql")
