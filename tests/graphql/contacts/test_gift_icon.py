"""The gift icon: whether at least one advantage is reserved for a contact."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from tests.back_door import change_offer, set_quota, touch
from tests.conftest import NOW, Server
from tests.graphql.operations import Client

from db.core import tables

SECOND = timedelta(seconds=1)


async def gifts(server: Server) -> dict[str, bool]:
    """Who has the icon."""
    found = await Client(server, "counter", server.staff).ask("FindContacts", first=100)
    return {edge["node"]["code"]: edge["node"]["hasAdvantages"] for edge in found["contacts"]["edges"]}


async def without(server: Server, *tables_of_contacts: str) -> None:
    async with server.own.sessions.writing() as connection:
        for name in tables_of_contacts:
            await connection.execute(delete(tables.metadata.tables[name]))


async def test_contacts_with_a_reserved_advantage_have_it(server: Server) -> None:
    assert await gifts(server) == {"SECUTIX": False, "TYD": False, "BLANDINE": True, "NOUVEAU": False}


@pytest.mark.parametrize("left", ["campaign_contacts", "contact_indicators"])
async def test_a_campaign_or_a_level_alone_gives_it(server: Server, left: str) -> None:
    await without(server, *{"campaign_contacts", "contact_indicators"} - {left})
    assert (await gifts(server))["BLANDINE"]
    await without(server, left)
    assert not (await gifts(server))["BLANDINE"]


@pytest.mark.parametrize(
    ("change", "has"),
    [
        ({}, True),
        ({"state": "SUSPENDED"}, False),
        ({"state": "VALIDATED"}, False),
        ({"valid_from": NOW}, True),
        ({"valid_from": NOW + SECOND}, False),
        ({"valid_until": NOW}, True),
        ({"valid_until": NOW - SECOND}, False),
    ],
)
async def test_the_advantage_must_run_and_be_valid_now(server: Server, change: dict[str, object], *, has: bool) -> None:
    await without(server, "contact_indicators")
    await change_offer(server.own.sessions, "REVIVAL", **{"state": "RUNNING", **change})
    assert (await gifts(server))["BLANDINE"] is has


@pytest.mark.parametrize(
    ("change", "has"),
    [
        ({"starts_at": NOW}, True),
        ({"starts_at": NOW + SECOND}, False),
        ({"ends_at": NOW}, True),
        ({"ends_at": NOW - SECOND}, False),
    ],
)
async def test_its_campaign_must_run_now(server: Server, change: dict[str, object], *, has: bool) -> None:
    await without(server, "contact_indicators")
    async with server.own.sessions.writing() as connection:
        await connection.execute(update(tables.campaigns).values(**change))
    await touch(server.own.sessions)
    assert (await gifts(server))["BLANDINE"] is has


async def test_another_level_gives_none(server: Server) -> None:
    await without(server, "campaign_contacts")
    async with server.own.sessions.writing() as connection:
        await connection.execute(update(tables.contact_indicators).values(level="CONSTANT"))
    assert not (await gifts(server))["BLANDINE"]


async def test_what_is_left_of_it_does_not_matter(server: Server) -> None:
    await without(server, "contact_indicators")
    await set_quota(server.own.sessions, "REVIVAL", 0)
    assert (await gifts(server))["BLANDINE"]
