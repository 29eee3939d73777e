"""Looking for contacts reads no more than what is found, however many there are."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.services.theatre import build

from db.contacts import search
from db.contacts.contacts import ContactKind
from db.core.keyset import EVERYTHING, Stretch
from db.core.sessions import Sessions

CONTACTS = 5_000

_FILL = text("""
INSERT INTO contacts (organisation_id, id, code, kind, name, email)
SELECT CAST(:own AS uuid), gen_random_uuid(), 'C-' || n, 'INDIVIDUAL', CASE n % 500 WHEN 0 THEN 'Zoé Été 50%' ELSE 'Person ' || n END,
    CASE WHEN n % 2 = 0 THEN 'at' || n || '@example.com' END
FROM generate_series(1, :contacts) n
""")


@dataclass(frozen=True)
class Crowd:
    sessions: Sessions
    organisation: UUID

    async def found(self, part: str, kind: ContactKind | None = None) -> int:
        """How many contacts a search finds, page after page both ways; what it counts is the same."""
        async with self.sessions.reading() as connection:
            whole = await search.search(connection, self.organisation, part, kind, EVERYTHING)
            assert [each.id for each in whole] == sorted(each.id for each in whole)
            pages: list[Stretch[UUID]] = [Stretch(None, 7), Stretch(None, 7, backwards=True)]
            first, last = [await search.search(connection, self.organisation, part, kind, page) for page in pages]
            assert (first, last) == (whole[:7], whole[-7:])
            assert await search.count(connection, self.organisation, part, kind) == len(whole)
        return len(whole)


@pytest.fixture
async def crowd(sessions: Sessions) -> Crowd:
    organisation = (await build(sessions)).organisation
    async with sessions.writing() as connection:
        await connection.execute(_FILL, {"own": organisation, "contacts": CONTACTS})
    async with sessions.reading() as connection:
        await connection.execute(text("ANALYZE contacts"))
    return Crowd(sessions, organisation)


@pytest.mark.parametrize(
    ("part", "number"),
    [
        ("zoé", 10),
        ("ZOÉ ÉTÉ", 10),
        ("50%", 10),
        ("%", 10),
        ("_", 0),
        ("C-4999", 1),
        ("c-499", 11),
        ("at4998@", 1),
        ("person 4999", 1),
        ("nothing like it", 0),
        ("person", 4_990),
        ("@example.com", 2_500),
    ],
)
async def test_a_part_of_name_address_or_code_finds_all_that_have_it(crowd: Crowd, part: str, number: int) -> None:
    assert await crowd.found(part) == number
    assert await crowd.found(part, ContactKind.STRUCTURE) == 0


async def test_contacts_of_another_organisation_are_not_found(crowd: Crowd) -> None:
    other = await build(crowd.sessions, "other")
    assert await Crowd(crowd.sessions, other.organisation).found("zoé") == 0


@pytest.mark.parametrize("part", ["zoé", "C-4999", "at4998@", "nothing like it"])
async def test_what_a_search_is_led_by_is_found_by_indexes(crowd: Crowd, part: str) -> None:
    statement = text(f"EXPLAIN (FORMAT JSON) {search._GATHERED.text}")
    parameters = {"organisation": crowd.organisation, "search": part, "most": 1_001}
    async with crowd.sessions.reading() as connection:
        plan = str((await connection.execute(statement, parameters)).scalar_one())
    assert "contacts_pieces_idx" in plan
    assert "contacts_code_pieces_idx" in plan
    assert "Seq Scan" not in plan
