from datetime import datetime, timedelta
from uuid import UUID

import pytest
from tests.counting import counted

from db.core.ids import new_id
from db.core.keyset import EVERYTHING
from db.core.sessions import Sessions
from services.access.audit import Audit, AuditFilter
from services.access.credentials import Credentials
from services.access.partner_keys import PartnerKeys, StoredKey
from services.core.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from services.core.viewer import Audience, StaffRole, Viewer

SECRET = "a secret of thirty-two characters"
HOUR = timedelta(hours=1)


@pytest.fixture
def credentials(loaded: Sessions) -> Credentials:
    return Credentials(loaded, SECRET)


@pytest.fixture
def keys(loaded: Sessions) -> PartnerKeys:
    return PartnerKeys(loaded, "theatre", "command line:ada")


async def only(keys: PartnerKeys) -> StoredKey:
    (key,) = await keys.all()
    return key


async def test_a_key_has_the_name_that_it_was_given(credentials: Credentials, keys: PartnerKeys) -> None:
    await credentials.partner_key("theatre", "TYD", "TYD", " web shop ")
    assert (await only(keys)).name == "web shop"
    await keys.name((await only(keys)).id, "mobile")
    assert (await only(keys)).name == "mobile"
    with pytest.raises(InvalidInput):
        await keys.name((await only(keys)).id, "\x1b[2J")


async def test_a_revoked_key_opens_nothing_any_more(credentials: Credentials, keys: PartnerKeys, now: datetime) -> None:
    kept, lost = [f"Bearer {await credentials.partner_key('theatre', 'TYD', 'TYD')}" for _ in range(2)]
    await credentials.viewer(lost, now)
    last = (await keys.all())[-1]
    await keys.revoke(last.id, now)
    with pytest.raises(Unauthenticated):
        await credentials.viewer(lost, now)
    assert (await credentials.viewer(kept, now)).audience is Audience.PARTNER
    assert [key.revoked_at for key in await keys.all()] == [None, now]
    with pytest.raises(Conflict):
        await keys.revoke(last.id, now + HOUR)
    assert (await keys.all())[-1].revoked_at == now


async def test_revoked_keys_are_found_among_many_headers_by_one_look(
    loaded: Sessions, credentials: Credentials, keys: PartnerKeys, now: datetime
) -> None:
    made = [f"Bearer {await credentials.partner_key('theatre', 'TYD', 'TYD')}" for _ in range(3)]
    await keys.revoke((await keys.all())[0].id, now)
    others = [f"Bearer {await credentials.shopper_token('theatre', 'SHOP')}", "Bearer nonsense", "", "Basic x"]
    with counted(loaded) as statements:
        spelt = made[0].replace("Bearer", "bearer ")
        assert await credentials.ended([*made, spelt, *others]) == {made[0], spelt}
    assert len(statements) == 1
    with counted(loaded) as statements:
        assert await credentials.ended(others) == frozenset()
    assert statements == []


async def test_the_hour_of_its_last_use_is_written_once_an_hour(
    loaded: Sessions, credentials: Credentials, keys: PartnerKeys, now: datetime
) -> None:
    key = f"Bearer {await credentials.partner_key('theatre', 'TYD', 'TYD')}"
    assert (await only(keys)).last_used_at is None
    hour = now.replace(minute=0, second=0, microsecond=0)

    async def writes(at: datetime) -> int:
        with counted(loaded) as statements:
            await credentials.viewer(key, at)
        return sum("UPDATE" in statement for statement in statements)

    assert await writes(hour + timedelta(minutes=5)) == 1
    assert [await writes(hour + timedelta(minutes=minute)) for minute in range(6, 60)] == [0] * 54
    assert (await only(keys)).last_used_at == hour
    assert await writes(hour + HOUR) == 1
    assert (await only(keys)).last_used_at == hour + HOUR
    # A clock that is behind takes nothing back.
    assert await writes(hour) == 0
    assert (await only(keys)).last_used_at == hour + HOUR


async def test_a_key_of_another_organisation_is_not_there(
    credentials: Credentials, loaded: Sessions, keys: PartnerKeys, now: datetime
) -> None:
    await credentials.partner_key("theatre", "TYD", "TYD")
    with pytest.raises(NotFound):
        await PartnerKeys(loaded, "elsewhere", "x").all()
    for change in (keys.revoke(new_id(), now), keys.name(new_id(), "web")):
        with pytest.raises(NotFound):
            await change


async def test_what_was_done_with_a_key_stands_in_the_audit(
    loaded: Sessions, credentials: Credentials, keys: PartnerKeys, now: datetime
) -> None:
    await credentials.partner_key("theatre", "TYD", "TYD")
    key: UUID = (await only(keys)).id
    await keys.name(key, "web")
    await keys.revoke(key, now)
    organisation = (
        await credentials.viewer(f"Bearer {await credentials.shopper_token('theatre', 'SHOP')}", now)
    ).organisation_id
    staff = Viewer(Audience.STAFF, organisation, "theatre", "staff:ada", roles=frozenset({StaffRole.VIEWER}))
    entries = await Audit(loaded).page(staff, AuditFilter((key,)), EVERYTHING)
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("command line:ada", "revokePartnerKey"),
        ("command line:ada", "namePartnerKey"),
    ]
