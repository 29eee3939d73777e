"""The counter profiles that offers name become known ones, each once for its organisation."""

from uuid import UUID

from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from db.migrations.migrate import _config, upgrade

ONE, OTHER = UUID(int=1), UUID(int=2)

_BEFORE = """
INSERT INTO organisations (id, code, name, currency, timezone, basket_minutes)
SELECT id, id, 'O', 'EUR', 'Europe/Paris', 15 FROM unnest(CAST(:both AS uuid[])) id;
INSERT INTO offers (organisation_id, id, kind, code, state, internal_name, public_name, scope, benefit, restriction)
SELECT o, gen_random_uuid(), 'PROMOTIONAL_CODE', code, 'RUNNING', '{}', '{}', '{}', '{}', CAST(restriction AS jsonb) FROM (VALUES
    (CAST(:one AS uuid), 'A', '{"counterProfiles": ["HALL", "Café"]}'),
    (CAST(:one AS uuid), 'B', '{"counterProfiles": ["HALL"], "newsletter": true}'),
    (CAST(:one AS uuid), 'C', '{}'),
    (CAST(:other AS uuid), 'A', '{"newsletter": true}')
) offers(o, code, restriction)
"""


def _to(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_the_profiles_that_offers_name_are_known(empty_database: str, engine: AsyncEngine) -> None:
    values = {"both": [ONE, OTHER], "one": ONE, "other": OTHER}
    async with engine.begin() as connection:
        await connection.run_sync(_to, "0014")
        for statement in _BEFORE.split(";"):
            escaped = statement.replace('": ', '"\\: ')
            given = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(escaped), given)
    await upgrade(empty_database)
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT organisation_id, code, name FROM counter_profiles ORDER BY code"))
        found = [tuple(row) for row in rows]
        versions = await connection.execute(text("SELECT catalogue_version FROM organisations ORDER BY id"))
        [moved, still] = versions.scalars()
    assert [(owner, code) for owner, code, _ in found] == [(ONE, "Café"), (ONE, "HALL")]
    assert found[0][2] == dict.fromkeys(("fr", "en", "de", "es", "it"), "Café")
    assert moved == still + 1
