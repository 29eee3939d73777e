"""Counter profiles are known by code and name: those that offers name so far, by their codes alone."""

from pathlib import Path
from typing import Final

import orjson
from alembic import op
from sqlalchemy import text

from db.core.ids import next_id
from db.migrations.scripts import run_script

revision = "0015"
down_revision = "0014"

_LANGUAGES: Final = ("fr", "en", "de", "es", "it")
_NAMED: Final = text("""
SELECT DISTINCT o.organisation_id, profile.code
FROM offers o CROSS JOIN LATERAL jsonb_array_elements_text(o.restriction -> 'counterProfiles') profile(code)
WHERE jsonb_typeof(o.restriction -> 'counterProfiles') = 'array' ORDER BY o.organisation_id, profile.code
""")
_ADD: Final = text("""
INSERT INTO counter_profiles (organisation_id, id, code, name) VALUES (:organisation, :id, :code, CAST(:name AS jsonb))
""")
_TOUCH: Final = text("UPDATE organisations SET catalogue_version = catalogue_version + 1 WHERE id = :organisation")


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
    connection = op.get_bind()
    named = connection.execute(_NAMED).all()
    for organisation, code in named:
        name = orjson.dumps(dict.fromkeys(_LANGUAGES, code)).decode()
        connection.execute(_ADD, {"organisation": organisation, "id": next_id(), "code": code, "name": name})
    for organisation in dict.fromkeys(organisation for organisation, _ in named):
        connection.execute(_TOUCH, {"organisation": organisation})
