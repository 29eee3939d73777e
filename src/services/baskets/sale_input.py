"""Where, for whom and with which codes a client may say that a sale takes place: problems by path, all at once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalogue.snapshot import Catalogue, Performance
from services.codes.format import check_entered
from services.core.errors import Path
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import StaffRole, Viewer
from services.pricing.rules import is_over

MAXIMUM_CODES: Final = 50


def check_point_of_sale(asked: UUID | None, viewer: Viewer, catalogue: Catalogue, problems: Problems) -> UUID | None:
    """Where the sale happens: where the credentials say; staff may name another point of sale."""
    path: Path = ("pointOfSaleId",)
    chosen = asked or viewer.point_of_sale
    if chosen is not None and chosen not in catalogue.points_of_sale:
        problems.add(path, text("unknown_point_of_sale"))
    elif not viewer.reads_records and chosen != viewer.point_of_sale:
        problems.add(path, text("other_point_of_sale"))
    return chosen


def check_contact(asked: UUID | None, viewer: Viewer, problems: Problems) -> UUID | None:
    """For whom the sale is: contacts and partners buy for themselves, staff for anybody, shoppers unnamed."""
    if asked is not None and asked != viewer.contact and not viewer.reads_records:
        problems.add(("contactId",), text("other_contact"))
    return asked or viewer.contact


def is_sold_by(viewer: Viewer, performance: Performance, now: datetime) -> bool:
    """Whether somebody still buys, or sells, tickets for a performance: after its own end of sale only staff with SALES
    (docs/domain.md, Offers, Sale end).
    """
    return StaffRole.SALES in viewer.roles or not is_over(performance.sold_until, now)


def check_delivery_mode(asked: UUID | None, catalogue: Catalogue, problems: Problems) -> None:
    """How the tickets reach the customer, where that is said."""
    if asked is not None and asked not in catalogue.delivery_modes:
        problems.add(("deliveryModeId",), text("unknown_delivery_mode"))


def check_codes(codes: Sequence[str], problems: Problems) -> None:
    """What was entered can be codes, whether there are such or not."""
    if len(codes) > MAXIMUM_CODES:
        problems.add(("codes",), text("too_many_codes", maximum=MAXIMUM_CODES))
        return
    for position, code in enumerate(codes):
        problems.refuse(("codes", str(position)), check_entered(code))
