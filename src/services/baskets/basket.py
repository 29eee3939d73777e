"""What a basket is to those who ask for it."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.baskets import baskets as db
from db.baskets.baskets import BasketContent, BasketState
from services.access.permissions import may_see, require_sale
from services.baskets import stored_pricing
from services.baskets.quotes import HeldBasket
from services.core.errors import Conflict, NotFound, TotalChanged
from services.core.money import to_decimal
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.result import Pricing
from services.pricing.values import value

__all__ = ["Basket", "BasketState", "SeenTotal", "held", "opened", "taken_up"]


@value
class Basket:
    """A basket as it is now. ``order`` is the order that it became."""

    id: UUID
    state: BasketState
    content: BasketContent
    expires_at: datetime
    pricing: Pricing
    order: UUID | None


def opened(viewer: Viewer, row: db.LockedBasket | None) -> db.LockedBasket:
    """The basket, where the viewer may change it. Raises NotFound, Conflict where it is no longer open, Forbidden."""
    require_sale(viewer)
    if row is None or not may_see(viewer, row.content.contact):
        raise NotFound(("basketId",), text("unknown_basket"))
    if row.state is not BasketState.OPEN:
        raise Conflict(text(f"basket_{row.state.lower()}"), state=row.state)
    return row


def taken_up(content: BasketContent, viewer: Viewer) -> BasketContent:
    """The content as of whoever changes or confirms the basket: theirs from now on, where it was nobody's yet.

    They are the one who is judged, and so is the counter at which the basket is (docs/domain.md, Baskets and what they
    hold).
    """
    contact = viewer.contact if content.contact is None else content.contact
    if contact == content.contact and viewer.counter_profile == content.counter_profile:
        return content
    return replace(content, contact=contact, counter_profile=viewer.counter_profile)


def held(row: db.LockedBasket) -> HeldBasket:
    """What a basket holds."""
    return HeldBasket(row.id, row.content, stored_pricing.load(row.pricing).pricing)


@value
class SeenTotal:
    """What a customer was told that a basket costs, in the organisation's currency."""

    amount: Decimal
    currency: str

    def check(self, total: int) -> None:
        """Raises TotalChanged where it is another by now."""
        now = to_decimal(total, self.currency)
        if now != self.amount:
            raise TotalChanged(text("total_changed", total=f"{now:f} {self.currency}"), total)
