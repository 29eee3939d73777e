"""Asking for codes, and seeing what becomes of it."""

import pytest
from sqlalchemy import select, text
from tests.services.theatre import NOW, House, build

from db.codes.batches import NewBatch
from db.contacts import contacts
from db.contacts.contacts import ContactKind
from db.core import tables
from db.core.ids import new_id
from db.core.sessions import Sessions
from services.codes.batches import BatchState, DocumentType, place
from services.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from services.core.transactions import Transaction
from services.core.viewer import StaffRole


@pytest.fixture
async def house(sessions: Sessions) -> House:
    return House(sessions, await build(sessions))


async def refused(attempt: object) -> set[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        await attempt  # type: ignore[misc]
    return {(".".join(problem.path), problem.text.key) for problem in caught.value.problems}


# ── Asking ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_is_pending_until_a_worker_takes_it(house: House) -> None:
    batch = await house.batch(await house.request())
    assert (batch.state, batch.generated, batch.quantity) == (BatchState.PENDING, 0, 150)


async def test_every_problem_with_a_request_is_named_at_once(house: House) -> None:
    theatre = house.theatre
    wrong = {
        "offer": theatre.opening,
        "contact": theatre.blandine,
        "quantity": 0,
        "destination": "a@example.org\nBcc: b@example.org",
        "remark": "\0",
    }
    assert await refused(house.request(**wrong)) == {
        ("offerId", "offer_takes_no_codes"),
        ("contactId", "contact_is_no_structure"),
        ("quantity", "quantity_of_codes"),
        ("destination", "not_a_mail_address"),
        ("remark", "text_characters"),
    }


@pytest.mark.parametrize("quantity", [-1, 0, 5_000_001, 2**31])
async def test_a_batch_has_one_to_five_million_codes(house: House, quantity: int) -> None:
    assert await refused(house.request(quantity=quantity)) == {("quantity", "quantity_of_codes")}


async def test_a_mail_without_an_address_anywhere_is_refused(house: House) -> None:
    request = house.request(contact=house.theatre.tyd, document_type=DocumentType.EMAIL_WITH_CODE_LIST)
    assert await refused(request) == {("destination", "no_mail_address")}


async def test_a_mail_goes_to_the_contacts_own_address_by_default(house: House) -> None:
    batch = await house.batch(await house.request(document_type=DocumentType.EMAIL_WITH_CODE_LIST))
    assert batch.destination == "codes@example.org"


async def test_a_promotional_code_with_chosen_codes_takes_random_ones_beside_them(house: House) -> None:
    assert (await house.made(offer=house.theatre.custom_coupon)).state is BatchState.DONE


async def test_codes_of_a_promotional_code_without_a_structure_are_the_organisations_own(house: House) -> None:
    coupon = house.theatre.random_coupon
    first, second = [await house.made(offer=coupon, contact=None, quantity=5) for _ in range(2)]
    assert first.contact == second.contact
    async with house.sessions.reading() as connection:
        contact = (await contacts.find(connection, house.theatre.organisation, [first.contact]))[first.contact]
    assert (contact.code, contact.name, contact.kind) == ("theatre", "Théâtre", ContactKind.STRUCTURE)


async def test_codes_without_a_structure_are_mailed_to_the_address_that_is_given(house: House) -> None:
    coupon, mailed = house.theatre.random_coupon, DocumentType.EMAIL_WITH_CODE_LIST
    nobody = house.request(offer=coupon, contact=None, document_type=mailed)
    assert await refused(nobody) == {("destination", "no_mail_address")}
    batch = await house.made(offer=coupon, contact=None, destination="flyers@example.org", document_type=mailed)
    assert (batch.state, house.post.sent[0]["To"]) == (BatchState.DONE, "flyers@example.org")


async def test_codes_of_an_advantage_are_made_for_a_structure(house: House) -> None:
    assert await refused(house.request(contact=None)) == {("contactId", "structure_missing")}


async def test_a_promotional_code_without_chosen_codes_takes_random_ones(house: House) -> None:
    assert (await house.made(offer=house.theatre.random_coupon)).state is BatchState.DONE


async def test_a_closed_offer_takes_no_more_codes(house: House) -> None:
    with pytest.raises(Conflict):
        await house.request(offer=house.theatre.closed)


async def test_an_unknown_offer_is_not_found(house: House) -> None:
    with pytest.raises(NotFound) as caught:
        await house.request(offer=new_id())
    assert caught.value.path == ("offerId",)


async def test_a_contact_of_another_organisation_is_not_found(house: House) -> None:
    other = await build(house.sessions, "other")
    with pytest.raises(NotFound) as caught:
        await house.request(contact=other.secutix)
    assert caught.value.path == ("contactId",)


async def test_only_staff_who_follow_codes_have_them_made(house: House) -> None:
    theatre = house.theatre
    for viewer in (theatre.staff(StaffRole.VIEWER), theatre.partner(theatre.secutix), theatre.shopper()):
        with pytest.raises(Forbidden):
            await house.batches.request(viewer, house.wanted(), NOW)


async def test_the_same_key_makes_one_batch(house: House) -> None:
    first = await house.batches.request(house.staff, house.wanted(), NOW, "key")
    assert await house.batches.request(house.staff, house.wanted(), NOW, "key") == first


async def test_a_request_leaves_an_audit_entry(house: House) -> None:
    batch = await house.request()
    async with house.sessions.reading() as connection:
        entry = (await connection.execute(select(tables.audit_entries))).one()
    assert (entry.actor, entry.action, entry.subject_id) == ("staff:ada", "generateCodes", batch)


async def test_a_batch_and_its_job_are_made_together_or_not_at_all(house: House) -> None:
    theatre = house.theatre
    order = NewBatch(theatre.promotyd, theatre.secutix, 1, None, DocumentType.NO_EMAIL, "FR")

    async def interrupted() -> None:
        async with house.sessions.writing() as connection:
            await place(Transaction(connection, theatre.organisation, NOW), new_id(), order, "staff:ada")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interrupted()
    async with house.sessions.reading() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM pgqueuer")) == 0
        assert await connection.scalar(text("SELECT count(*) FROM batches")) == 0


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_partner_sees_its_own_batches_only(house: House) -> None:
    theatre = house.theatre
    own, others = await house.request(), await house.request(contact=theatre.tyd)
    assert list(await house.batches.find(theatre.partner(theatre.secutix), [own, others])) == [own]


async def test_a_shopper_sees_no_batch(house: House) -> None:
    assert await house.batches.find(house.theatre.shopper(), [await house.request()]) == {}


async def test_another_organisation_sees_no_batch(house: House) -> None:
    other = await build(house.sessions, "other")
    assert await house.batches.find(other.staff(StaffRole.CODES), [await house.request()]) == {}


async def test_a_list_can_be_downloaded_when_all_codes_exist(house: House) -> None:
    pending = await house.batch(await house.request())
    done = await house.made()
    assert house.batches.csv_url(pending, NOW) is None
    assert (house.batches.csv_url(done, NOW) or "").startswith(f"https://tickets.example.org/batches/{done.id}.csv?")
