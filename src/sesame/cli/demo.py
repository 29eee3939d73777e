"""``sesame demo``: the example's organisation, served on an embedded PostgreSQL in a data folder of its own."""

import os
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

import orjson

from db.core.sessions import Sessions
from resolvers.runtime.ids import encode
from services.access.credentials import Credentials
from services.catalogue.catalogues import Catalogues
from services.catalogue.snapshot import Catalogue
from services.core.errors import NotFound, Unauthenticated
from services.core.viewer import StaffRole
from services.dataset import Datasets, moved_to, read
from sesame.server.serving import serve
from sesame.settings import Settings, secret_key

_ORGANISATION: Final = "theatre"
_LIFETIME: Final = timedelta(days=30)
_PRICE_BASKET: Final = (
    "query ($basket: BasketInput!) { priceBasket(input: $basket) "
    "{ subtotal { amount } processingFee { amount } total { amount currency } } }"
)


@dataclass(frozen=True, slots=True)
class _Guide:
    """What the first steps need: a token for each audience, and the basket that the example request prices."""

    shopper: str
    contact: str
    partner: str
    staff: str
    basket: dict[str, object]


def run_demo(data_dir: Path, host: str, port: int) -> None:
    """Loads the example at the first start, all dates moved so that its season is current, and serves it."""
    # Whatever else the environment names is somebody's real database or mail server.
    for variable in ("SESAME_DATABASE_URL", "SESAME_SMTP_URL"):
        os.environ.pop(variable, None)
    os.environ["SESAME_DATA_DIR"] = str(data_dir)
    settings = Settings.read()

    async def welcome(url: str, address: str) -> str:
        return _told(address, await _guide(settings, url))

    serve(settings, host, port, workers=1, welcome=welcome)


async def _guide(settings: Settings, url: str) -> _Guide:
    sessions = Sessions(url, pool_size=1)
    now = datetime.now(UTC)
    try:
        catalogue = await _catalogue(sessions, now)
        credentials = Credentials(sessions, secret_key(settings))
        until = now + _LIFETIME
        return _Guide(
            shopper=await credentials.shopper_token(_ORGANISATION, "SHOP"),
            contact=await credentials.contact_token(_ORGANISATION, "BLANDINE", "SHOP", until),
            partner=await _partner_key(credentials, settings.data_dir / "partner.key", now),
            staff=await credentials.staff_token(
                _ORGANISATION, list(StaffRole), until, point_of_sale="HALL", name="demo"
            ),
            basket=_basket(catalogue),
        )
    finally:
        await sessions.close()


async def _catalogue(sessions: Sessions, now: datetime) -> Catalogue:
    """The example's catalogue, loaded where it is not there yet: what visitors did at earlier starts stays."""
    catalogues = Catalogues(sessions)
    try:
        return await catalogues.find(_ORGANISATION)
    except NotFound:
        example = read(files("sesame").joinpath("example.json").read_bytes())
        await Datasets(sessions).load(moved_to(example, now), now=now)
        return await catalogues.find(_ORGANISATION)


async def _partner_key(credentials: Credentials, kept: Path, now: datetime) -> str:
    """The same key at every start: the database has only its hash, so the demo keeps it in its folder."""
    key = _read(kept)
    try:
        await credentials.viewer(f"Bearer {key}", now)
    except Unauthenticated:
        key = await credentials.partner_key(_ORGANISATION, "TYD", "TYD")
        _keep(kept, key)
    return key


def _read(kept: Path) -> str:
    return kept.read_text(encoding="ascii") if kept.exists() else ""


def _keep(kept: Path, key: str) -> None:
    kept.touch(mode=0o600)
    kept.write_text(key, encoding="ascii")


def _basket(catalogue: Catalogue) -> dict[str, object]:
    """Two full-price seats of Category 1."""
    performance = next(each.id for each in catalogue.performances.values() if each.code == "HELENE-1217")
    category = next(each.id for each in catalogue.seat_categories.values() if each.code == "CAT1")
    audience = next(each.id for each in catalogue.audience_sub_categories.values() if each.code == "FULL")
    line = {
        "performanceId": encode("Performance", performance),
        "seatCategoryId": encode("SeatCategory", category),
        "audienceSubCategoryId": encode("AudienceSubCategory", audience),
        "quantity": 2,
    }
    return {"lines": [line]}


def _told(address: str, guide: _Guide) -> str:
    body = orjson.dumps({"query": _PRICE_BASKET, "variables": {"basket": guide.basket}}).decode()
    return f"""
Sesame serves the example theatre at {address}/graphql. Ctrl-C stops it; its data stays.

Send one of these tokens as "Authorization: Bearer ...":

  shopper at the online shop:
    {guide.shopper}
  contact Blandine de Dainville at the online shop:
    {guide.contact}
  partner TYD:
    {guide.partner}
  staff with every role, at the hall counter:
    {guide.staff}

Paste this into another terminal to price two seats of Category 1 for La Belle Hélène:

curl -s {address}/graphql \\
  -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer {guide.shopper}' \\
  -d {shlex.quote(body)}
"""
