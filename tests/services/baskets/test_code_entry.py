"""Codes that are entered into many baskets at the same moment: done together, told each by itself."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs
from tests.back_door import set_quota
from tests.conftest import NOW, SECRET, Server
from tests.counting import counted
from tests.graphql.operations import BackOffice

from services.access.attempt_limits import OF_BASKET
from services.baskets import code_entry, holds
from services.baskets.basket import Basket
from services.baskets.basket_input import BasketRequest, LineRequest
from services.baskets.lifecycle import Baskets
from services.catalogue.snapshot import by_code
from services.codes.format import normalise
from services.core.coalescing import MOST
from services.core.errors import CodeRefused, Conflict
from services.core.transactions import Overtaken, Transaction
from services.core.viewer import StaffRole, Viewer
from sesame.composition import build_services, house
from sesame.settings import Settings

Told = tuple[Basket, UUID] | BaseException


class Shop:
    """Baskets of one process, each of a ticket, and codes that take a share off."""

    def __init__(self, server: Server, viewer: Viewer, line: LineRequest, codes: list[str]) -> None:
        self.server = server
        self.viewer = viewer
        self.baskets: Baskets = build_services(server.own).baskets
        self.codes = codes
        self._line = line

    async def open(self, number: int) -> list[UUID]:
        request = BasketRequest((self._line,))
        return [(await self.baskets.create(self.viewer, request, NOW)).id for _ in range(number)]

    async def enter(self, *wanted: tuple[UUID, str], keys: list[str | None] | None = None) -> list[Told]:
        """All at the same moment."""
        named = zip(wanted, keys or [None] * len(wanted), strict=True)
        entered = (self.baskets.apply_code(self.viewer, basket, code, NOW, key) for (basket, code), key in named)
        return await asyncio.gather(*entered, return_exceptions=True)

    async def value(self, query: str) -> Any:
        async with self.server.own.sessions.reading() as connection:
            return (await connection.execute(text(query))).scalar_one()


@pytest.fixture
async def shop(server: Server) -> Shop:
    office = BackOffice(server)
    codes = await office.codes(100, offerId=await office.offer_id("PROMOTYD"))
    viewer = await server.own.credentials.viewer(f"Bearer {server.shopper}", NOW)
    catalogue = await build_services(server.own).catalogues.find("theatre")
    line = LineRequest(
        by_code(catalogue.performances)["HELENE-1217"].id,
        None,
        by_code(catalogue.seat_categories)["CAT1"].id,
        by_code(catalogue.audience_sub_categories)["FULL"].id,
        1,
    )
    return Shop(server, viewer, line, codes)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """The baskets that were not done together with others."""
    done: list[UUID] = []
    write = code_entry.CodeEntries._write

    async def noted(
        self: code_entry.CodeEntries, entries: Sequence[code_entry.CodeEntry], *, waits: bool
    ) -> list[code_entry.Answer]:
        if waits:
            done.extend(entry.basket for entry in entries)
        return await write(self, entries, waits=waits)

    monkeypatch.setattr(code_entry.CodeEntries, "_write", noted)
    return done


def kinds(told: list[Told]) -> Counter[str]:
    """How many of each answer: Applied, the refusals of a code, or the kind of the failure."""
    found: Counter[str] = Counter()
    for each in told:
        match each:
            case CodeRefused(refusals=refusals):
                found.update(str(refusal.code) for refusal in refusals)
            case BaseException():
                found[type(each).__name__] += 1
            case _:
                found["Applied"] += 1
    return found


async def test_many_codes_take_as_many_statements_as_two(shop: Shop) -> None:
    sent = []
    # The first one finds out that nobody floods.
    for number in (1, 2, MOST):
        baskets = await shop.open(number)
        with counted(shop.server.own.sessions) as statements:
            told = await shop.enter(*zip(baskets, [shop.codes.pop() for _ in baskets], strict=True))
        assert kinds(told) == {"Applied": number}
        sent.append([statement for statement in statements if "pg_notify" not in statement])
    assert sent[1] == sent[2]


async def test_each_basket_is_told_and_keeps_its_own_price(shop: Shop) -> None:
    baskets = await shop.open(5)
    told = await shop.enter(*zip(baskets, shop.codes, strict=False))
    stored = await shop.baskets.find(shop.viewer, baskets, NOW)
    for basket, answer, code in zip(baskets, told, shop.codes, strict=False):
        assert not isinstance(answer, BaseException)
        assert stored[basket] == answer[0]
        assert [priced.text for priced in stored[basket].pricing.codes] == [code]


async def test_one_that_is_refused_keeps_nobody_else_from_theirs(alone: list[UUID], shop: Shop) -> None:
    first, second, third, cancelled = await shop.open(4)
    await shop.baskets.cancel(shop.viewer, cancelled, NOW)
    good, other, *_ = shop.codes
    unknown = UUID(int=7)
    told = await shop.enter((first, good), (second, "NOSUCHCODE"), (cancelled, other), (unknown, other), (third, other))
    assert kinds(told) == {"Applied": 2, "UNKNOWN_CODE": 1, "Conflict": 1, "NotFound": 1}
    assert alone == [unknown], "it might have been one that somebody keeps"


async def test_what_is_refused_changes_nothing(shop: Shop) -> None:
    first, second = await shop.open(2)
    before = (await shop.baskets.find(shop.viewer, [second], NOW))[second]
    await shop.enter((first, shop.codes[0]), (second, "NOSUCHCODE"))
    assert (await shop.baskets.find(shop.viewer, [second], NOW))[second] == before


async def test_of_many_who_enter_one_code_one_has_it(shop: Shop) -> None:
    baskets = await shop.open(20)
    told = await shop.enter(*((basket, shop.codes[0]) for basket in baskets))
    assert kinds(told) == {"Applied": 1, "CODE_HELD": 19}


async def test_what_is_left_of_a_quota_goes_to_as_many_as_it_is(shop: Shop) -> None:
    await set_quota(shop.server.own.sessions, "PROMOTYD", 7)
    baskets = await shop.open(20)
    told = await shop.enter(*zip(baskets, shop.codes, strict=False))
    assert kinds(told) == {"Applied": 7, "QUOTA_EXHAUSTED": 13}


async def test_one_basket_may_be_given_several_codes_at_once(shop: Shop) -> None:
    [basket] = await shop.open(1)
    told = await shop.enter(*((basket, code) for code in shop.codes[:3]))
    held = await shop.value("SELECT count(*) FROM codes WHERE status = 'HELD'")
    assert held == kinds(told)["Applied"] == 1


async def test_a_key_has_one_effect_and_one_answer_in_company_too(shop: Shop) -> None:
    first, second = await shop.open(2)
    wanted = [(first, shop.codes[0]), (second, shop.codes[1])]
    once = await shop.enter(*wanted, keys=["k1", "k2"])
    again = await shop.enter(*wanted, keys=["k1", "k2"])
    assert [answer[1] for answer in once if not isinstance(answer, BaseException)] == [
        answer[1] for answer in again if not isinstance(answer, BaseException)
    ]
    assert kinds(again) == {"Applied": 2}


async def test_a_refusal_stays_under_its_key_in_company_too(shop: Shop) -> None:
    first, second = await shop.open(2)
    wanted = [(first, shop.codes[0]), (second, "NOSUCHCODE")]
    await shop.enter(*wanted, keys=["k1", "k2"])
    again = await shop.enter(*wanted, keys=["k1", "k2"])
    assert kinds(again) == {"Applied": 1, "UNKNOWN_CODE": 1}


async def test_a_key_with_another_input_is_a_conflict_in_company_too(shop: Shop) -> None:
    first, second = await shop.open(2)
    await shop.enter((first, shop.codes[0]), (second, shop.codes[1]), keys=["k1", "k2"])
    told = await shop.enter((first, shop.codes[2]), (second, shop.codes[1]), keys=["k1", "k2"])
    assert [type(answer) for answer in told] == [Conflict, tuple]


async def test_the_same_request_twice_at_the_same_moment_is_one(shop: Shop) -> None:
    first, second = await shop.open(2)
    wanted = [(first, shop.codes[0]), (first, shop.codes[0]), (second, shop.codes[1])]
    assert kinds(await shop.enter(*wanted, keys=["k1", "k1", "k2"])) == {"Applied": 3}


async def test_who_asks_again_while_a_group_is_at_work_keeps_it_waiting_less_than_a_deadlock_would(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = asyncio.Event(), asyncio.Event()
    hold = holds.hold

    async def held_up(*arguments: Any) -> None:
        if not at_work.is_set():
            at_work.set()
            await go_on.wait()
        await hold(*arguments)

    async def until_somebody_waits() -> None:
        while not await shop.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):  # noqa: ASYNC110 - a database has no event for it
            await asyncio.sleep(0)

    monkeypatch.setattr(code_entry, "hold", held_up)
    baskets = await shop.open(2)
    wanted = list(zip(baskets, shop.codes, strict=False))
    together = asyncio.create_task(shop.enter(*wanted, keys=["a", "b"]))
    await at_work.wait()
    again = asyncio.create_task(shop.enter(wanted[0], keys=["a"]))
    await asyncio.wait_for(until_somebody_waits(), 20)
    go_on.set()
    answers = [*await together, *await again]
    assert kinds(answers) == {"Applied": 3}
    assert await shop.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_a_basket_that_another_transaction_keeps_delays_nobody_else(shop: Shop) -> None:
    kept, free = await shop.open(2)
    async with shop.server.own.sessions.writing() as connection:
        await connection.execute(text("SELECT FROM baskets WHERE id = :id FOR UPDATE"), {"id": kept})
        both = [
            asyncio.create_task(shop.baskets.apply_code(shop.viewer, basket, code, NOW))
            for basket, code in zip((kept, free), shop.codes, strict=False)
        ]
        await asyncio.wait_for(asyncio.shield(both[1]), 10)
        assert not both[0].done()
    assert kinds(await asyncio.gather(*both, return_exceptions=True)) == {"Applied": 2}


async def test_a_code_counts_as_one_try_however_often_its_group_begins_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, looks = holds.hold, 0

    async def overtaken(*arguments: Any) -> None:
        nonlocal looks
        looks += 1
        if looks < 5:
            raise Overtaken
        await hold(*arguments)

    monkeypatch.setattr(code_entry, "hold", overtaken)
    baskets = await shop.open(4)
    tries = [(baskets[0], "NOSUCHCODE"), *zip(baskets[1:], shop.codes, strict=False)]
    assert kinds(await shop.enter(*tries)) == {"Applied": 3, "UNKNOWN_CODE": 1}
    assert looks > 5
    query = "SELECT array_agg(unknown_codes ORDER BY id) FROM baskets"
    assert await shop.value(query) == [1, 0, 0, 0]


async def test_so_many_unknown_codes_may_be_entered_into_a_basket_in_a_while(shop: Shop) -> None:
    [basket, other] = await shop.open(2)

    async def entered(code: str, into: UUID = basket, now: datetime = NOW) -> str:
        try:
            await shop.baskets.apply_code(shop.viewer, into, code, now)
        except CodeRefused as refused:
            return refused.refusals[0].code
        return "Applied"

    for each in range(OF_BASKET.most):
        assert await entered(f"NOSUCHCODE{each}") == "UNKNOWN_CODE"
    assert await entered(shop.codes[0]) == "TOO_MANY_ATTEMPTS"
    assert await entered(shop.codes[1], other) == "Applied"
    assert await entered(shop.codes[0], now=NOW + OF_BASKET.window) == "Applied"


async def test_a_fault_of_one_is_its_own(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await shop.open(2)
    broken = shop.codes[0]
    price = code_entry.opened_offer

    def fails(pricing: Any, code: str) -> UUID:
        if code == broken:
            raise RuntimeError("a fault")
        return price(pricing, code)

    monkeypatch.setattr(code_entry, "opened_offer", fails)
    told = await shop.enter((first, broken), (second, shop.codes[1]))
    assert kinds(told) == {"RuntimeError": 1, "Applied": 1}
    assert isinstance(told[0], RuntimeError)
    assert told[0].__context__ is None, "the log of a fault would show what others entered"


async def test_a_group_that_cannot_be_entered_together_is_logged_and_each_gets_its_own_answer(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, alone: list[UUID]
) -> None:
    carry_out = code_entry._carry_out

    async def breaks_in_company(transaction: Transaction, changes: Sequence[Any]) -> list[Basket]:
        if len(changes) > 1:
            raise RuntimeError("the grouped path is broken")
        return await carry_out(transaction, changes)

    monkeypatch.setattr(code_entry, "_carry_out", breaks_in_company)
    baskets = await shop.open(3)
    with capture_logs() as lines:
        told = await shop.enter(*zip(baskets, shop.codes, strict=False))
    assert kinds(told) == {"Applied": 3}
    assert sorted(alone) == sorted(baskets)
    [line] = [line for line in lines if line["event"] == "codes were not entered together"]
    assert (line["log_level"], line["entries"], str(line["exc_info"])) == ("error", 3, "the grouped path is broken")


async def test_what_is_logged_of_a_group_knows_its_codes_so_that_none_is_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = code_entry._carry_out

    async def breaks_in_company(transaction: Transaction, changes: Sequence[Any]) -> list[Basket]:
        if len(changes) > 1:
            raise RuntimeError(f"broken by {changes}")
        return await carry_out(transaction, changes)

    monkeypatch.setattr(code_entry, "_carry_out", breaks_in_company)
    with capture_logs() as lines:
        await shop.enter(*zip(await shop.open(3), shop.codes, strict=False))
    [line] = [line for line in lines if line["event"] == "codes were not entered together"]
    assert sorted(line["sent"]) == sorted(shop.codes[:3])
    assert not any(code in repr(line["sent"]) for code in shop.codes)


async def test_an_outage_is_everybodys_and_nobody_waits_for_it_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, alone: list[UUID]
) -> None:
    async def away(_transaction: Transaction, _changes: Sequence[Any]) -> list[Basket]:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(code_entry, "_carry_out", away)
    told = await shop.enter(*zip(await shop.open(3), shop.codes, strict=False))
    assert kinds(told) == {"ConnectionRefusedError": 3}
    assert alone == []


async def test_a_key_that_was_left_out_of_a_group_is_answered_by_itself(shop: Shop, alone: list[UUID]) -> None:
    first, second = await shop.open(2)
    wanted = [(first, shop.codes[0]), (second, shop.codes[0])]
    once = await shop.enter(*wanted, keys=["k1", "k2"])
    again = await shop.enter(*wanted, keys=["k1", "k2"])
    assert kinds(once) == kinds(again) == {"Applied": 1, "CODE_HELD": 1}
    assert alone == [second]


async def test_what_staff_enters_in_company_leaves_an_entry_of_each(shop: Shop) -> None:
    until = NOW + timedelta(hours=1)
    token = await shop.server.own.credentials.staff_token(
        "theatre", [StaffRole.SALES], until, point_of_sale="SHOP", name="ada"
    )
    shop.viewer = await shop.server.own.credentials.viewer(f"Bearer {token}", NOW)
    baskets = await shop.open(3)
    assert kinds(await shop.enter(*zip(baskets, shop.codes, strict=False))) == {"Applied": 3}
    entries = "SELECT count(DISTINCT subject_id) FROM audit_entries WHERE action = 'applyAdvantageCode'"
    assert await shop.value(entries) == 3


async def test_a_code_that_another_transaction_keeps_delays_the_others_of_its_group_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    write = code_entry.CodeEntries._write

    async def counted_write(
        self: code_entry.CodeEntries, entries: Sequence[code_entry.CodeEntry], *, waits: bool
    ) -> list[code_entry.Answer]:
        if not waits:
            groups.append(len(entries))
        return await write(self, entries, waits=waits)

    monkeypatch.setattr(code_entry.CodeEntries, "_write", counted_write)
    baskets = await shop.open(8)
    async with shop.server.own.sessions.writing() as connection:
        await connection.execute(
            text("SELECT FROM codes WHERE code = :code FOR UPDATE"), {"code": normalise(shop.codes[3])}
        )
        entries = [
            asyncio.create_task(shop.baskets.apply_code(shop.viewer, basket, code, NOW))
            for basket, code in zip(baskets, shop.codes, strict=False)
        ]
        others = [entry for place, entry in enumerate(entries) if place != 3]
        await asyncio.wait_for(asyncio.shield(asyncio.gather(*others)), 20)
        assert not entries[3].done()
    assert kinds(await asyncio.gather(*entries, return_exceptions=True)) == {"Applied": 8}
    assert groups == [8]


async def test_a_line_that_is_no_longer_sold_is_told_again_under_its_key_and_to_nobody_else(
    shop: Shop, alone: list[UUID]
) -> None:
    first, second = await shop.open(2)
    async with shop.server.own.sessions.writing() as connection:
        await connection.execute(
            text("UPDATE baskets SET lines = jsonb_set(lines, '{0,2}', to_jsonb(CAST(:other AS text))) WHERE id = :id"),
            {"id": first, "other": str(UUID(int=1))},
        )
    wanted = [(first, shop.codes[0]), (second, shop.codes[1])]
    told = await shop.enter(*wanted, keys=["k1", "k2"])
    kept = await shop.value("SELECT count(*) FROM idempotency_keys WHERE answer ->> 'failure' = 'InvalidInput'")
    assert kinds(told) == {"InvalidInput": 1, "Applied": 1}
    assert (kept, alone) == (1, [])


async def test_with_a_single_connection_nobody_who_tries_a_code_waits_for_another(
    shop: Shop, loaded_url: str, tmp_path: Path
) -> None:
    baskets = await shop.open(20)
    settings = Settings(
        database_url=SecretStr(loaded_url), secret_key=SecretStr(SECRET), data_dir=tmp_path, pool_size=1
    )
    async with house(settings) as own, asyncio.timeout(60):
        services = build_services(own)
        await services.catalogues.seen_by(shop.viewer)
        codes = [*shop.codes[:10], *(f"NOSUCH{number}" for number in range(10))]
        shop.baskets = services.baskets
        told = await shop.enter(*zip(baskets, codes, strict=True))
    assert kinds(told) == {"Applied": 10, "UNKNOWN_CODE": 10}
