from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import text

from db.core.sessions import Sessions
from services.access.credentials import LONGEST, Credentials
from services.core.errors import InvalidInput, NotFound, Unauthenticated
from services.core.viewer import Audience, StaffRole

SECRET = "a secret of thirty-two characters"
HOUR = timedelta(hours=1)


@pytest.fixture
async def credentials(loaded: Sessions) -> Credentials:
    return Credentials(loaded, SECRET)


def signed(claims: dict[str, Any], secret: str = SECRET, **header: str) -> str:
    return jwt.encode({"alg": "HS256", **header}, claims, OctKey.import_key(secret))


def staff_claims(now: datetime, **claims: object) -> dict[str, Any]:
    expires = int((now + HOUR).timestamp())
    usual = {"iss": "sesame", "aud": "STAFF", "org": "theatre", "roles": ["CODES"], "sub": "ada", "exp": expires}
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}


async def test_a_shopper_is_known_by_the_point_of_sale(credentials: Credentials, now: datetime) -> None:
    viewer = await credentials.viewer(f"Bearer {await credentials.shopper_token('theatre', 'SHOP')}", now)
    assert (viewer.audience, viewer.organisation_code) == (Audience.SHOPPER, "theatre")
    assert viewer.point_of_sale is not None
    assert viewer.contact is None
    assert not viewer.roles


async def test_the_shopper_token_is_always_the_same_and_does_not_expire(
    credentials: Credentials, now: datetime
) -> None:
    token = await credentials.shopper_token("theatre", "SHOP")
    assert token == await credentials.shopper_token("theatre", "SHOP")
    assert await credentials.viewer(f"Bearer {token}", now + timedelta(days=10_000))


async def test_a_contact_is_known_by_name(credentials: Credentials, now: datetime) -> None:
    token = await credentials.contact_token("theatre", "BLANDINE", "SHOP", now + HOUR)
    viewer = await credentials.viewer(f"Bearer {token}", now)
    assert (viewer.audience, viewer.actor) == (Audience.CONTACT, "contact:BLANDINE")
    assert viewer.contact is not None
    assert viewer.point_of_sale is not None


async def test_staff_have_the_roles_and_the_profile_of_their_token(credentials: Credentials, now: datetime) -> None:
    token = await credentials.staff_token(
        "theatre", ["SALES", "VIEWER"], now + HOUR, point_of_sale="HALL", name="ada", counter_profile="SENIOR"
    )
    viewer = await credentials.viewer(f"Bearer {token}", now)
    assert (viewer.audience, viewer.actor) == (Audience.STAFF, "staff:ada")
    assert viewer.roles == {StaffRole.SALES, StaffRole.VIEWER}
    assert viewer.counter_profile == "SENIOR"
    assert viewer.point_of_sale is not None


async def test_staff_without_a_name_are_never_taken_for_one(credentials: Credentials, now: datetime) -> None:
    tokens = [await credentials.staff_token("theatre", ["SALES"], now + HOUR) for _ in range(2)]
    viewers = [await credentials.viewer(f"Bearer {token}", now) for token in tokens]
    assert viewers[0].actor != viewers[1].actor
    assert viewers[0].point_of_sale is None


async def test_a_partner_is_bound_to_a_structure_and_a_point_of_sale(credentials: Credentials, now: datetime) -> None:
    viewer = await credentials.viewer(f"Bearer {await credentials.partner_key('theatre', 'TYD', 'TYD')}", now)
    assert (viewer.audience, viewer.actor) == (Audience.PARTNER, "partner:TYD")
    assert viewer.contact is not None
    assert viewer.point_of_sale is not None


async def test_a_partner_key_is_kept_nowhere(credentials: Credentials, loaded: Sessions) -> None:
    secret = (await credentials.partner_key("theatre", "TYD", "TYD")).rpartition(".")[2]
    async with loaded.reading() as session:
        kept = (await session.execute(text("SELECT api_keys::text FROM api_keys"))).scalars().all()
    assert len(kept) == 1
    assert secret not in kept[0]


async def test_a_revoked_key_holds_no_longer(credentials: Credentials, loaded: Sessions, now: datetime) -> None:
    key = await credentials.partner_key("theatre", "TYD", "TYD")
    async with loaded.writing() as session:
        await session.execute(text("UPDATE api_keys SET revoked_at = now()"))
    with pytest.raises(Unauthenticated):
        await credentials.viewer(f"Bearer {key}", now)


async def test_the_scheme_is_read_in_any_case(credentials: Credentials, now: datetime) -> None:
    token = await credentials.shopper_token("theatre", "SHOP")
    assert await credentials.viewer(f"bearer  {token} ", now)


@pytest.mark.parametrize("after", [HOUR, 2 * HOUR])
async def test_an_expired_token_says_so(credentials: Credentials, now: datetime, after: timedelta) -> None:
    token = await credentials.staff_token("theatre", ["CODES"], now + HOUR)
    with pytest.raises(Unauthenticated) as refused:
        await credentials.viewer(f"Bearer {token}", now + after)
    assert refused.value.text.key == "credentials_expired"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer ..",
        "Bearer é.é.é",
        "Bearer \ud800",
        "Bearer a\0b",
        "Bearer " + "a" * LONGEST,
        "Bearer " + "[" * 400 + ".e30.x",
        "Bearer sesame." + "x" * 43,
        "Bearer sesame.theatre." + "x" * 42,
        "Bearer sesame.theatre." + "x" * 43,
        "Bearer sesame.nowhere." + "x" * 43,
        "Bearer sesame.%00." + "x" * 43,
        "Bearer sesame.%ff%fe." + "x" * 43,
        "Bearer eyJhbGciOiJIUzI1NiJ9.W10.x",
    ],
)
async def test_broken_credentials_are_refused(credentials: Credentials, now: datetime, header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        await credentials.viewer(header, now)


async def test_what_was_signed_with_another_secret_is_refused(credentials: Credentials, now: datetime) -> None:
    forged = signed(staff_claims(now), secret="another secret of thirty-two characters")
    with pytest.raises(Unauthenticated):
        await credentials.viewer(f"Bearer {forged}", now)


@pytest.mark.filterwarnings("ignore:JWS algorithm")
@pytest.mark.parametrize("algorithm", ["none", "HS512"])
async def test_another_algorithm_is_refused(credentials: Credentials, now: datetime, algorithm: str) -> None:
    token = jwt.encode({"alg": algorithm}, staff_claims(now), OctKey.import_key(SECRET), [algorithm])
    with pytest.raises(Unauthenticated):
        await credentials.viewer(f"Bearer {token}", now)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "elsewhere"},
        {"iss": None},
        {"aud": "PARTNER"},
        {"aud": "EVERYBODY"},
        {"aud": ["STAFF", "SHOPPER"]},
        {"aud": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"nbf": 2**40},
        {"roles": None},
        {"roles": "CODES"},
        {"roles": ["EVERYTHING"]},
        {"roles": [["CODES"]]},
        {"sub": None},
        {"sub": 7},
        {"org": None},
        {"org": ""},
        {"org": 7},
        {"org": "the\0atre"},
        {"org": "nowhere"},
        {"pos": "NOWHERE"},
        {"pos": ["HALL"]},
        {"contact": "NOBODY"},
        {"profile": 7},
    ],
)
async def test_a_genuine_token_with_wrong_claims_is_refused(
    credentials: Credentials, now: datetime, claims: dict[str, object]
) -> None:
    with pytest.raises(Unauthenticated):
        await credentials.viewer(f"Bearer {signed(staff_claims(now, **claims))}", now)


async def test_a_contact_token_needs_its_contact(credentials: Credentials, now: datetime) -> None:
    claims = staff_claims(now, aud="CONTACT", pos="SHOP")
    with pytest.raises(Unauthenticated):
        await credentials.viewer(f"Bearer {signed(claims)}", now)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("nowhere", "BLANDINE", "SHOP"), "organisation"),
        (("theatre", "NOBODY", "SHOP"), "contact"),
        (("theatre", "BLANDINE", "NOWHERE"), "point_of_sale"),
    ],
)
async def test_nothing_is_issued_for_what_does_not_exist(
    credentials: Credentials, now: datetime, names: tuple[str, str, str], missing: str
) -> None:
    with pytest.raises(NotFound) as refused:
        await credentials.contact_token(*names, now + HOUR)
    assert refused.value.path == (missing,)


async def test_an_individual_gets_no_partner_key(credentials: Credentials) -> None:
    with pytest.raises(InvalidInput):
        await credentials.partner_key("theatre", "BLANDINE", "TYD")


async def test_every_unknown_role_is_told(credentials: Credentials, now: datetime) -> None:
    with pytest.raises(InvalidInput) as refused:
        await credentials.staff_token("theatre", ["CODES", "KING", ""], now + HOUR)
    assert len(refused.value.problems) == 2


async def test_organisations_with_odd_codes_have_partners_too(
    credentials: Credentials, loaded: Sessions, now: datetime
) -> None:
    async with loaded.writing() as session:
        await session.execute(text("UPDATE organisations SET code = 'théâtre de la ville, 1.2 %'"))
    key = await credentials.partner_key("théâtre de la ville, 1.2 %", "TYD", "TYD")
    assert (await credentials.viewer(f"Bearer {key}", now)).organisation_code == "théâtre de la ville, 1.2 %"
