"""A snapshot that was made of the one before and of what changed is the one that would be made of nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.back_door import change_offer, copy, organisation, set_quota, touch
from tests.counting import counted
from tests.services.dataset.samples import example

from db.catalogue import catalogue as db
from db.core import tables
from db.core.sessions import Sessions
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue, by_code
from services.dataset import Datasets
from services.pricing.facts.offers import CampaignTarget, OfferState
from services.pricing.facts.sale import ContactFacts
from services.pricing.facts.tickets import TicketKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Step = Callable[[AsyncConnection, Random], Awaitable[object]]
NAMED = (
    *("seasons", "seat_categories", "audience_sub_categories", "sales_channels", "points_of_sale", "delivery_modes"),
    *("indicators", "campaigns", "products"),
)


async def _run(connection: AsyncConnection, statement: str, **values: object) -> None:
    query = text(statement).bindparams(*(bindparam(key, type_=JSONB) for key in values if key in {"scope", "benefit"}))
    await connection.execute(query, values)


async def _one(connection: AsyncConnection, random: Random, table: str, where: str = "true") -> UUID:
    rows = await connection.execute(text(f"SELECT id FROM {table} WHERE {where} ORDER BY id"))
    keys: list[UUID] = list(rows.scalars())
    return random.choice(keys)


async def _rename(connection: AsyncConnection, random: Random) -> None:
    table = random.choice(NAMED)
    name = f"N{random.random()}"
    await _run(
        connection,
        f"UPDATE {table} SET name = jsonb_build_object('fr', CAST(:name AS text)) WHERE id = :id",
        name=name,
        id=await _one(connection, random, table),
    )


async def _state(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        "UPDATE offers SET state = :state, version = version + 1 WHERE id = :id",
        state=random.choice(["RUNNING", "SUSPENDED", "CLOSED"]),
        id=await _one(connection, random, "offers"),
    )


async def _scope(connection: AsyncConnection, random: Random) -> None:
    scope = {
        "products": [str(await _one(connection, random, "products"))] * random.randrange(2),
        "performances": [str(await _one(connection, random, "performances"))] * random.randrange(2),
    }
    await _run(
        connection,
        "UPDATE offers SET scope = :scope, state = 'RUNNING' WHERE id = :id",
        scope=scope,
        id=await _one(connection, random, "offers"),
    )


async def _target(connection: AsyncConnection, random: Random) -> None:
    target = random.choice(["PUBLIC", "CONTACTS", "INDICATOR", "SINGLE_USE_CODE"])
    await _run(
        connection,
        """UPDATE offers SET state = 'RUNNING', target_type = :target, campaign_id = :campaign,
        indicator_id = :indicator, indicator_level = :level WHERE id = :id""",
        target=target,
        campaign=await _one(connection, random, "campaigns") if target == "CONTACTS" else None,
        indicator=await _one(connection, random, "indicators") if target == "INDICATOR" else None,
        level=random.choice(["REGULAR", "CONSTANT"]) if target == "INDICATOR" else None,
        id=await _one(connection, random, "offers", "kind = 'ADVANTAGE'"),
    )


async def _new_offer(connection: AsyncConnection, random: Random) -> None:
    code = random.choice(["OPENING", "REVIVAL", "REGULARS"])
    await copy(connection, tables.offers, code, 1)
    await _run(connection, "UPDATE offers SET code = :new WHERE code = :old", new=f"{random.random()}", old=f"{code}-0")


async def _limit(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        """INSERT INTO offer_limits (organisation_id, offer_id, element_id, element_kind, quota, per_order)
        SELECT organisation_id, :offer, id, 'PRODUCT', :quota, 3 FROM products WHERE id = :element
        ON CONFLICT (organisation_id, offer_id, element_id) DO UPDATE SET quota = excluded.quota""",
        offer=await _one(connection, random, "offers"),
        element=await _one(connection, random, "products"),
        quota=random.randrange(100, 200),
    )


async def _no_limit(connection: AsyncConnection, random: Random) -> None:
    await _run(connection, "DELETE FROM offer_limits WHERE offer_id = :id", id=await _one(connection, random, "offers"))


async def _price(connection: AsyncConnection, random: Random) -> None:
    rate = await _one(connection, random, "rates")
    await _run(connection, "UPDATE rates SET price = :price WHERE id = :id", price=random.randrange(10_000), id=rate)


async def _no_prices(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        "DELETE FROM rates WHERE performance_id = :id",
        id=await _one(connection, random, "performances"),
    )


async def _new_performance(connection: AsyncConnection, random: Random) -> None:
    [key] = await copy(connection, tables.performances, "HELENE-1217", 1)
    await _run(
        connection,
        "UPDATE performances SET code = :code, starts_at = starts_at + :later WHERE id = :id",
        code=f"{random.random()}",
        later=timedelta(days=random.randrange(-3, 4)),
        id=key,
    )
    await _run(
        connection,
        """INSERT INTO rates (organisation_id, id, product_id, performance_id, seat_category_id,
            audience_sub_category_id, price)
        SELECT r.organisation_id, gen_random_uuid(), r.product_id, :id, seat_category_id, audience_sub_category_id, 77
        FROM rates r JOIN performances p ON p.id = r.performance_id AND p.code = 'HELENE-1218'""",
        id=key,
    )


async def _move_performance(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        "UPDATE performances SET starts_at = starts_at + :later, product_id = :product WHERE id = :id",
        later=timedelta(hours=random.randrange(-99, 99)),
        product=await _one(connection, random, "products", "family = 'EVENT'"),
        id=await _one(connection, random, "performances"),
    )


async def _campaign(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        "UPDATE campaigns SET ends_at = ends_at + :later WHERE id = :id",
        later=timedelta(hours=random.randrange(1, 99)),
        id=await _one(connection, random, "campaigns"),
    )


async def _move_point_of_sale(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        "UPDATE points_of_sale SET channel_id = :channel WHERE id = :id",
        channel=await _one(connection, random, "sales_channels"),
        id=await _one(connection, random, "points_of_sale"),
    )


async def _late_key(connection: AsyncConnection, random: Random) -> None:
    """Made before others, and seen after them."""
    await _run(
        connection,
        """INSERT INTO delivery_modes (organisation_id, id, code, name, fee)
        SELECT id, :key, :code, '{"fr": "F"}', 100 FROM organisations""",
        key=UUID(int=random.getrandbits(96)),
        code=f"late {random.random()}",
    )


async def _profile(connection: AsyncConnection, random: Random) -> None:
    await _run(
        connection,
        """INSERT INTO counter_profiles (organisation_id, id, code, name)
        SELECT id, gen_random_uuid(), :code, '{"fr": "P"}' FROM organisations""",
        code=f"profile {random.random()}",
    )


async def _removed(connection: AsyncConnection, random: Random) -> None:
    await _run(connection, "DELETE FROM delivery_modes WHERE code LIKE 'late %'")


async def _house(connection: AsyncConnection, random: Random) -> None:
    await _run(connection, "UPDATE organisations SET name = :name", name=f"Théâtre {random.random()}")


STEPS: list[Step] = [
    *(_rename, _state, _scope, _target, _new_offer, _limit, _no_limit, _price, _no_prices, _new_performance),
    *(_move_performance, _campaign, _move_point_of_sale, _late_key, _profile, _removed, _house),
]


async def _edit(sessions: Sessions, random: Random) -> None:
    """One transaction: some changes, the version before or after them; now and then it comes to nothing."""
    async with sessions.writing() as connection:
        key, touches_first = await organisation(connection), random.random() < 0.5
        if touches_first:
            await db.touch(connection, key)
        for step in random.choices(STEPS, k=random.randint(1, 3)):
            await step(connection, random)
        if not touches_first:
            await db.touch(connection, key)
        if random.random() < 0.1:
            await connection.rollback()


def _kinds(catalogue: Catalogue) -> list[TicketKind]:
    sold = [(element, *parts) for element, rates in catalogue.rates.items() for parts in rates]
    return [kind for each in sorted(sold, key=str) if (kind := catalogue.ticket_kind(*each))]


def _told(catalogue: Catalogue) -> dict[str, object]:
    """All that a snapshot says, with the orders that it promises."""
    index, kinds = catalogue.offers, _kinds(catalogue)
    contact = ContactFacts(UUID(int=1), dict.fromkeys(catalogue.indicators, "REGULAR"), frozenset(catalogue.campaigns))
    ordered = set(Catalogue.__slots__) - {"kinds", "offers", "rates", "seen", "organisation"}
    return {
        **{name: list(getattr(catalogue, name).items()) for name in ordered},
        "organisation": catalogue.organisation,
        "rates": {key: list(rates.items()) for key, rates in catalogue.rates.items()},
        "offers": dict(index),
        "rules": {key: index.rules(key) for key in index},
        "terms": {key: index.terms(key) for key in index},
        "kinds": kinds,
        "groups": set(index.groups(contact)),
        "limited": index.limited_offer_ids(kinds),
        "candidates": [
            sorted((each.advantage.id, each.saving) for each in index.candidates(kind, index.groups(contact), ()))
            for kind in kinds
        ],
    }


async def _check(sessions: Sessions, changed: Catalogue) -> None:
    anew = _told(await Catalogues(sessions).current(changed.organisation.id))
    told = _told(changed)
    assert {name for name, value in anew.items() if told[name] != value} == set()
    assert changed == await Catalogues(sessions).current(changed.organisation.id)


@pytest.mark.parametrize("seed", range(4))
async def test_after_random_edits_a_snapshot_is_the_one_made_anew(loaded: Sessions, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    catalogues = Catalogues(loaded)
    own = (await catalogues.find("theatre")).organisation.id
    for _ in range(20):
        for _ in range(random.randint(1, 3)):
            await _edit(loaded, random)
            if random.random() < 0.5:
                _told(await catalogues.current(own))
        await _check(loaded, await catalogues.current(own))


async def test_after_data_files_a_snapshot_is_the_one_made_anew(loaded: Sessions) -> None:
    catalogues, datasets = Catalogues(loaded), Datasets(loaded)
    random = Random(5)  # noqa: S311
    own = (await catalogues.find("theatre")).organisation.id
    for number in range(6):
        file: dict[str, Any] = example()
        show = file["products"][0]["performances"][0]
        shows = [{**deepcopy(show), "code": f"NEW-{number}-{n}"} for n in range(random.randrange(4))]
        file["products"][0]["performances"] += shows
        show["prices"][0]["price"] = f"{random.randrange(50, 90)}.00"
        model = file["advantages"][0]
        file["advantages"] += [{**deepcopy(model), "code": f"NEW-{number}-{n}"} for n in range(random.randrange(3))]
        model["limits"] = {"quota": 500 + number}
        model["internalName"] = {"fr": f"Nom {number}"}
        file["counterProfiles"] = [{"code": "MANAGER", "name": {"fr": f"Responsable {number}"}}]
        await datasets.load(file, now=NOW)
        if number % 2:
            await _check(loaded, await catalogues.current(own))
    await _check(loaded, await catalogues.current(own))


async def test_an_edit_shares_with_the_snapshot_before_all_that_it_does_not_change(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    before = await catalogues.find("theatre")
    await change_offer(loaded, "OPENING", state="SUSPENDED")
    after = await catalogues.current(before.organisation.id)
    shared = {name for name in Catalogue.__slots__ if getattr(before, name) is getattr(after, name)}
    assert shared == set(Catalogue.__slots__) - {"organisation", "seen", "offer_details", "offers"}
    opening = by_code(before.offer_details)["OPENING"].id
    for key, details in after.offer_details.items():
        assert (details is before.offer_details[key]) == (key != opening)


async def test_what_did_not_change_is_not_read_again(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    before = await catalogues.find("theatre")
    await set_quota(loaded, "OPENING", 190)
    with counted(loaded) as statements:
        after = await catalogues.current(before.organisation.id)
    assert by_code(after.offer_details)["OPENING"].quota == 190
    read = [statement for statement in statements if "FROM offers" in statement or "FROM offer_limits" in statement]
    assert len(read) == 2
    assert not any("performances" in statement or "rates" in statement for statement in statements)


async def test_what_another_server_numbered_says_nothing_of_what_changed_here(loaded: Sessions) -> None:
    """As where the data of a dump was put into a new cluster, which has had fewer transactions."""
    catalogues = Catalogues(loaded)
    before = await catalogues.find("theatre")
    own = before.organisation.id
    catalogues._snapshots[own] = replace(before, seen="1700000000.5 900000000:900000000:")
    await change_offer(loaded, "OPENING", state="SUSPENDED")
    after = await catalogues.current(own)
    assert by_code(after.offer_details)["OPENING"].offer.state is OfferState.SUSPENDED
    await _check(loaded, after)


async def test_sales_are_no_change_of_a_catalogue(loaded: Sessions) -> None:
    async with loaded.writing() as connection:
        await connection.execute(text("UPDATE offer_limits SET taken = taken + 1"))
        noted = text("SELECT count(*) FROM catalogue_changes WHERE changed_in = pg_current_xact_id()")
        assert await connection.scalar(noted) == 0


async def test_an_offer_follows_the_dates_of_its_campaign(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    before = await catalogues.find("theatre")
    async with loaded.writing() as connection:
        await connection.execute(text("UPDATE campaigns SET ends_at = ends_at + interval '1 day'"))
    await touch(loaded)
    after = await catalogues.current(before.organisation.id)
    [campaign] = after.campaigns.values()
    revival = by_code(after.offer_details)["REVIVAL"].offer
    assert revival.target == CampaignTarget(campaign.id, campaign.starts_at, campaign.ends_at)  # type: ignore[union-attr]
    assert campaign.ends_at == before.campaigns[campaign.id].ends_at + timedelta(days=1)


async def test_while_others_edit_a_snapshot_has_all_of_a_change_or_nothing(loaded: Sessions) -> None:
    own = (await Catalogues(loaded).find("theatre")).organisation.id
    stop = asyncio.Event()

    async def edit() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            async with loaded.writing() as connection:
                for table in ("performances", "offers", "offer_limits"):
                    column = {"performances": "venue", "offers": "picture", "offer_limits": "per_order"}[table]
                    await connection.execute(text(f"UPDATE {table} SET {column} = {100 + number}"))
                await db.touch(connection, own)
                await asyncio.sleep(0)

    async def read(catalogues: Catalogues) -> set[str | int | None]:
        found = await catalogues.current(own)
        seen = {each.venue for each in found.performances.values()} | {
            each.picture for each in found.offer_details.values()
        }
        limited = [each.offer.limits.per_order for each in found.offer_details.values()]
        return {str(each) for each in (*seen, *limited) if each is not None}

    writer = asyncio.create_task(edit())
    await asyncio.sleep(0)
    kept = Catalogues(loaded)
    for place in range(20):
        first, then = await asyncio.gather(read(Catalogues(loaded)), read(kept))
        assert place < 2 or (len(first), len(then)) == (1, 1)
    stop.set()
    await writer


async def test_who_was_asked_for_longest_ago_is_forgotten_first(loaded: Sessions) -> None:
    catalogues = Catalogues(loaded)
    theatre = await catalogues.find("theatre")
    festival: dict[str, Any] = example()
    festival["organisation"]["code"] = "festival"
    await Datasets(loaded).load(festival, now=NOW)

    small = Catalogues(loaded, most_parts=theatre.size)
    first = await small.find("theatre")
    second = await small.find("festival")
    assert small.cached(second.organisation.id) is second
    assert small.cached(first.organisation.id) is None
    assert await small.find("theatre") == first

    large = Catalogues(loaded, most_parts=2 * theatre.size + second.size)
    both = [await large.find("theatre"), await large.find("festival")]
    assert [large.cached(each.organisation.id) for each in both] == both
