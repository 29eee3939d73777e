"""Who reads what: every guarded field of the schema, by every way to it, as each role (docs/domain.md, Who may do what)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from tests.conftest import NOW, SECRET, Server
from tests.graphql.access.classes import FOLLOWED, OPEN, RECORDS, SCHEMA, TICKETS, fields, of_schema, read_in, ways_to
from tests.graphql.operations import BackOffice, Shop
from tests.graphql.transport.streams import Watch, asked, event_stream, socket
from tests.wire import Json, JsonObject

from graphql import GraphQLField
from services.core.viewer import StaffRole

CLASSES = (fields(RECORDS), fields(FOLLOWED), fields(TICKETS))
"""Asked for one by one: a field that is refused takes along those beside it."""
GUARDED = frozenset().union(*CLASSES)
READS = {
    StaffRole.CONTROL: fields(TICKETS),
    StaffRole.CATALOGUE: fields(RECORDS, TICKETS),
    StaffRole.SALES: fields(RECORDS, TICKETS),
    StaffRole.CODES: fields(RECORDS, FOLLOWED, TICKETS),
    StaffRole.VIEWER: fields(RECORDS, FOLLOWED, TICKETS),
}
SURELY = frozenset(
    [
        "Contact.email",
        "Contact.balance",
        "AuditEntry.details",
        "CustomCode.code",
        "PartnerTarget.accessCode",
        "Order.number",
        "Basket.contact",
        "CampaignTarget.campaign",
        "PromotionRestriction.newsletter",
        "Advantage.counts",
        "AdvantageCode.code",
        "CodeBatch.destination",
        "Ticket.barcode",
    ]
)
"""What the example has for whoever may read it, so that a test that sees nothing would not pass."""


@dataclass(frozen=True)
class Things:
    """Ids of what is guarded, and the barcode of a ticket."""

    contact: str
    basket: str
    order: str
    ticket: str
    barcode: str
    batch: str
    code: str
    season: str
    offers: tuple[str, str]
    campaign: str
    line: Json

    def roots(self) -> Iterator[tuple[str, str, JsonObject]]:
        """Each field of Query with each of the arguments that matter; one that is not here has none."""
        nodes = (self.contact, self.basket, self.order, self.ticket, self.batch, self.code, self.campaign, *self.offers)
        known: dict[str, list[tuple[str, JsonObject]]] = {
            "node": [("node(id: $id)", {"id": key}) for key in nodes],
            "basket": [("basket(id: $id)", {"id": self.basket})],
            "order": [("order(id: $id)", {"id": self.order})],
            "cancellationPreview": [("cancellationPreview(orderId: $id)", {"id": self.order})],
            "codeBatch": [("codeBatch(id: $id)", {"id": self.batch})],
            "codeDashboard": [("codeDashboard(seasonId: $id)", {"id": self.season})],
            "codeHistory": [('codeHistory(code: "TYD-STAFF")', {})],
            "codeLife": [('codeLife(code: "TYD-STAFF")', {})],
            "codeUses": [('codeUses(code: "TYD-STAFF", first: 3)', {})],
            "codesCsvUrl": [],
            "eligibleOffers": [("eligibleOffers(includeIneligible: true, first: 3)", {})],
            "priceBasket": [("priceBasket(input: {lines: [$line]})", {"line": self.line})],
        }
        for name, field in _query().items():
            few = "(first: 3)" if "first" in field.args else ""
            yield from ((name, *asked) for asked in known.get(name, [(f"{name}{few}", {})]))


def _query() -> dict[str, GraphQLField]:
    assert SCHEMA.query_type is not None
    found: dict[str, GraphQLField] = SCHEMA.query_type.fields
    return found


@lru_cache
def _documents(root: str, arguments: str, wanted: frozenset[str]) -> tuple[str, ...]:
    """The same texts for everybody, so that they are read once."""
    declared = {"$id": "($id: ID!)", "$line": "($line: BasketLineInput!)"}
    variables = next((kinds for name, kinds in declared.items() if name in arguments), "")
    return tuple(f"query {variables} {{ {document} }}" for document in ways_to(wanted, _query()[root], arguments))


@pytest.fixture
async def things(server: Server) -> Things:
    """A sale to a contact who paid with the balance, in a basket and in an order, and all that the example has."""
    office, shop, counter = BackOffice(server), Shop(server), Shop(server, server.staff)
    contact = await office.contact_id("BLANDINE")
    seats = ("HELENE-1217", "CAT1", "FULL", 1)
    basket = (await counter.basket(seats, contactId=contact, useBalance=True))["id"]
    sold = (await counter.basket(seats, contactId=contact, useBalance=True))["id"]
    order = (await counter.confirm(sold))["id"]
    found = await server.ask(
        "query ($order: ID!, $offer: ID!) { order(id: $order) { tickets { id barcode } } campaigns { id } codes(first: 1, filter: {offerId: $offer}) "
        "{ edges { node { id batch { id } } } } }",
        {"order": order, "offer": await office.offer_id("PROMOTYD")},
        token=server.staff,
    )
    data = found["data"]
    (ticket,) = data["order"]["tickets"]
    (line,) = await shop.lines(seats)
    code = data["codes"]["edges"][0]["node"]
    return Things(
        contact=contact,
        basket=basket,
        order=order,
        ticket=ticket["id"],
        barcode=ticket["barcode"],
        batch=code["batch"]["id"],
        code=code["id"],
        season=await office.season_id(),
        offers=(await office.offer_id("STAFFTYD"), await office.offer_id("TICKET2")),
        campaign=data["campaigns"][0]["id"],
        line=line,
    )


async def token_of(server: Server, *roles: str) -> str:
    """Signed as an identity provider would, which may name no role."""
    if roles:
        return await server.own.credentials.staff_token(
            "theatre", roles, NOW + timedelta(hours=1), point_of_sale="HALL", name="eve"
        )
    expires = int((NOW + timedelta(hours=1)).timestamp())
    claims = {"iss": "sesame", "aud": "STAFF", "org": "theatre", "roles": [], "sub": "eve", "exp": expires}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))


async def everything(server: Server, token: str, things: Things) -> frozenset[str]:
    """The guarded fields that somebody with this token reads a value of."""
    read: set[str] = set()
    for name, arguments, variables in things.roots():
        for document in (each for one in CLASSES for each in _documents(name, arguments, one)):
            answer = await server.ask(document, variables, token=token)
            refused = {error["extensions"]["code"] for error in answer.get("errors") or ()}
            assert refused <= {"FORBIDDEN", "UNAUTHENTICATED"}, answer
            read.update(read_in(answer.get("data")))
    return GUARDED & read


def test_every_field_of_the_schema_is_said_to_be_somebodys() -> None:
    assert of_schema() == fields(OPEN) | GUARDED
    assert not fields(OPEN) & GUARDED


@pytest.mark.parametrize("role", StaffRole)
async def test_staff_read_what_their_role_opens_and_nothing_else(
    server: Server, things: Things, role: StaffRole
) -> None:
    read = await everything(server, await token_of(server, role), things)
    assert read <= READS[role]
    assert SURELY & READS[role] <= read


async def test_a_token_without_roles_reads_nothing(server: Server, things: Things) -> None:
    token = await token_of(server)
    assert await everything(server, token, things) == frozenset()
    for name, arguments, variables in things.roots():
        for document in _documents(name, arguments, fields(OPEN)):
            answer = await server.ask(document, variables, token=token)
            assert not any((answer.get("data") or {}).values()), (document, answer)
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}, answer
    for answer in (
        await server.ask("{ codesCsvUrl }", token=token),
        await server.ask("{ viewer { roles } }", token=token),
    ):
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_shopper_reads_nothing_that_is_guarded(server: Server, things: Things) -> None:
    assert await everything(server, server.shopper, things) == frozenset()


async def test_a_contact_reads_of_people_and_sales_their_own_alone(server: Server, things: Things) -> None:
    read = await everything(server, server.contact, things)
    assert {each.partition(".")[0] for each in read} == {
        "Basket",
        "Contact",
        "ContactIndicator",
        "Order",
        "Ticket",
    }


async def test_a_scan_shows_the_ticket_and_no_more(server: Server, things: Things) -> None:
    token = await token_of(server, "CONTROL")
    assert SCHEMA.mutation_type is not None
    root = SCHEMA.mutation_type.fields["controlTicket"]
    read: set[str] = set()
    scan = f'controlTicket(input: {{barcode: "{things.barcode}", idempotencyKey: "gate"}})'
    every = [each for one in CLASSES for closed in ((), {"Ticket.order"}) for each in ways_to(one, root, scan, closed)]
    for position, document in enumerate(every):
        answer = await server.ask(f"mutation {{ {document} }}", token=token)
        assert answer["data"] or answer["errors"][0]["extensions"]["code"] == "FORBIDDEN", (position, answer)
        read.update(read_in(answer.get("data")))
    assert "Ticket.barcode" in read
    assert GUARDED & read <= fields(TICKETS)


@pytest.mark.parametrize(
    "question",
    [
        "query ($line: BasketLineInput!, $contact: ID!) "
        "{ priceBasket(input: {lines: [$line], contactId: $contact, useBalance: true}) { balanceUsed { amount } } }",
        "query ($contact: ID!) { eligibleOffers(contactId: $contact) { edges { node { eligible } } } }",
    ],
    ids=["balance", "offers"],
)
async def test_who_controls_tickets_learns_of_no_contact_by_asking_for_them(
    server: Server, things: Things, question: str
) -> None:
    variables = {"line": things.line, "contact": things.contact}
    assert (await server.ask(question, variables, token=server.staff)).get("data")
    answer = await server.ask(question, variables, token=await token_of(server, "CONTROL"))
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] in {"INVALID_INPUT", "FORBIDDEN", "BAD_USER_INPUT"}


async def test_who_controls_tickets_may_not_try_codes_without_limit(server: Server, things: Things) -> None:
    token = await token_of(server, "CONTROL")
    variables = {"line": things.line, "codes": [f"GUESS-{number}" for number in range(45)]}
    document = (
        "query ($line: BasketLineInput!, $codes: [String!]!) "
        "{ priceBasket(input: {lines: [$line], codes: $codes}) { codes { refusals { code } } } }"
    )
    told: set[str] = set()
    for _ in range(4):
        answer = await server.ask(document, variables, token=token)
        told.update(refusal["code"] for code in answer["data"]["priceBasket"]["codes"] for refusal in code["refusals"])
    assert "TOO_MANY_ATTEMPTS" in told


@pytest.mark.parametrize(
    ("watch", "roles"),
    [(event_stream, ()), (event_stream, ("CONTROL",)), (socket, ("CONTROL",))],
    ids=["none by stream", "control by stream", "control by socket"],
)
async def test_nothing_guarded_is_watched(server: Server, things: Things, watch: Watch, roles: tuple[str, ...]) -> None:
    token = await token_of(server, *roles)
    for operation in (
        asked("RedemptionCounts", offerId=things.offers[0]),
        asked("CodeBatchProgress", batchId=things.batch),
    ):
        async with watch(server.address, token, operation) as events:
            first = await anext(events)
            assert first["errors"], first
            assert not any((first["data"] or {}).values())


async def test_a_list_is_downloaded_by_who_was_given_a_link(server: Server, things: Things) -> None:
    for role in StaffRole:
        answer = await server.ask("{ codesCsvUrl }", token=await token_of(server, role))
        assert bool(answer["data"]) is (role in {StaffRole.CODES, StaffRole.VIEWER})
    async with httpx.AsyncClient(base_url=server.address) as client:
        for path in ("/codes.csv", "/batches/00000000-0000-7000-8000-000000000000.csv"):
            bearer = {"Authorization": f"Bearer {server.staff}"}
            assert (await client.get(path, headers=bearer)).status_code == 403
