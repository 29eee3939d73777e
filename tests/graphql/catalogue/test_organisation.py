"""The organisation as everybody sees it, and the offset of its clocks in every answer."""

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from tests.conftest import NOW, Server
from tests.graphql.operations import BackOffice, Client, Shop
from tests.graphql.transport.streams import asked, event_stream
from tests.wire import Json

from resolvers.runtime.context import Context
from resolvers.schema import schema
from services.core.viewer import StaffRole
from sesame.composition import build_services

SEATS = ("HELENE-1217", "CAT1", "FULL", 1)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?([+-]\d\d:\d\d)")


def offsets(answer: Json) -> set[str]:
    """Those of all instants in an answer."""
    if isinstance(answer, dict):
        return set().union(*map(offsets, answer.values()))
    if isinstance(answer, list):
        return set().union(*map(offsets, answer))
    found = _INSTANT.fullmatch(answer) if isinstance(answer, str) else None
    return {found[1]} if found else set()


async def test_everybody_is_told_of_the_organisation(server: Server) -> None:
    control = await server.own.credentials.staff_token(
        "theatre", [StaffRole.CONTROL], NOW + timedelta(hours=1), point_of_sale="HALL", name="eve"
    )
    for token in (server.shopper, server.contact, server.partner, server.staff, control):
        found = (await Shop(server, token).ask("Organisation"))["organisation"]
        assert found == {
            "code": "theatre",
            "name": "Théâtre de la Ville",
            "currency": "EUR",
            "timeZone": "Europe/Paris",
            "languages": ["FR", "EN", "DE", "ES", "IT"],
        }


async def test_instants_are_given_with_the_organisations_offset_of_their_day(server: Server) -> None:
    shop = Shop(server)
    found = await shop.ask("Products", first=100)
    starts = {
        edge["node"]["code"]: edge["node"]["startsAt"]
        for product in found["products"]["edges"]
        for edge in product["node"]["performances"]["edges"]
    }
    assert starts["HELENE-1217"] == "2026-12-17T20:00:00+01:00"
    # Summer has another.
    [season] = (await shop.ask("Season"))["seasons"]
    assert offsets(season) == {"+01:00", "+02:00"} or len({season["startsOn"][-6:], season["endsOn"][-6:]}) == 1


@pytest.mark.parametrize(("zone", "offset"), [("Asia/Kathmandu", "+05:45"), ("America/New_York", "-05:00")])
async def test_every_kind_of_instant_is_given_so(server: Server, zone: str, offset: str) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(
            text("UPDATE organisations SET timezone = :zone, catalogue_version = catalogue_version + 1"), {"zone": zone}
        )
    office, counter = BackOffice(server), Client(server, "counter", server.staff)
    basket = await Shop(server).basket(SEATS)
    order = await Shop(server).confirm(basket["id"])
    cancelled = await counter.ask("CancelOrder", input={"orderId": order["id"]})
    offer = await office.offer_id("PROMOTYD")
    for answer in (
        basket["expiresAt"],
        order["confirmedAt"],
        cancelled["cancelOrder"]["cancelledAt"],
        await counter.ask("Orders"),
        await office.ask("AuditLog"),
        await office.ask("Codes", first=1, filter={"offerId": offer}),
    ):
        assert offsets(answer) == {offset}, answer
    given = "2027-01-15T20:00:00+09:00"
    answer = await office.ask("UpdateAdvantage", input={"id": offer, "validUntil": given})
    told = answer["updateAdvantage"]["validUntil"]
    assert offsets(told) == {offset}
    assert datetime.fromisoformat(told) == datetime.fromisoformat(given)


async def test_an_audit_that_is_all_that_a_process_was_ever_asked_for_has_the_offset_too(server: Server) -> None:
    async with server.own.sessions.writing() as connection:
        await connection.execute(
            text("""INSERT INTO audit_entries (organisation_id, id, actor, action, subject_type, subject_id, details)
            SELECT id, id, 'staff:ada', 'cancelOrder', 'Order', id, '{}' FROM organisations""")
        )
    context = Context(build_services(server.own), lambda: NOW, {"authorization": f"Bearer {server.staff}"})
    answer = await schema.execute("{ auditLog { edges { node { createdAt } } } }", context_value=context)
    assert len(offsets(answer.data)) == 1
    assert offsets(answer.data) <= {"+01:00", "+02:00"}


async def test_what_is_watched_has_the_offset_in_every_event(server: Server) -> None:
    office = BackOffice(server)
    wanted = {"offerId": await office.offer_id("PROMOTYD")}
    [code] = (await office.ask("Codes", first=1, filter=wanted))["codes"]["edges"]
    batch = code["node"]["batch"]["id"]
    async with event_stream(server.address, server.staff, asked("CodeBatchProgress", batchId=batch)) as events:
        first = await anext(events)
        assert offsets(first["data"]) <= {"+01:00", "+02:00"}
        assert offsets(first["data"])


async def test_an_instant_that_no_clock_there_could_show_is_given_as_it_is(server: Server) -> None:
    office = BackOffice(server)
    # Paris went by its own sun then, nine minutes and twenty-one seconds before Greenwich.
    given = "1900-06-01T12:00:00+00:00"
    answer = await office.ask("UpdateAdvantage", input={"id": await office.offer_id("PROMOTYD"), "validFrom": given})
    assert answer["updateAdvantage"]["validFrom"] == given
