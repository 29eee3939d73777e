"""What a basket is to those who ask for it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from db.baskets import baskets as db
from db.baskets.baskets import BasketState
from services.access.permissions import may_see, require_sale
from services.core.errors import Conflict, FailureCode, NotFound, TotalChanged
from services.core.money import to_decimal
from services.core.texts import text
from services.core.viewer import Viewer
from services.pricing.result import Pricing
from services.pricing.values import value

__all__ = ["Basket", "BasketState", "SeenTotal", "opened"]


@value
class Basket:
    """A basket as it is now. ``order`` is the order that it became."""

    id: UUID
    state: BasketState
    contact: UUID | None
    expires_at: datetime
    pricing: Pricing
    order: UUID | None


def opened(viewer: Viewer, row: db.LockedBasket | None) -> db.LockedBasket:
    """The basket, where the viewer may change it. Raises NotFound, Conflict where it is no longer open, Forbidden."""
    require_sale(viewer)
    if row is None or not may_see(viewer, row.content.contact):
        raise NotFound(("basketId",), text("unknown_basket"))
    if row.state is not BasketState.OPEN:
        is_over = row.state is BasketState.EXPIRED
        code = FailureCode.BASKET_EXPIRED if is_over else FailureCode.BASKET_NOT_OPEN
        raise Conflict(text(f"basket_{row.state.lower()}"), code)
    return row


@value
class SeenTotal:
    """What a customer was told that a basket costs, in the organisation's currency."""

    amount: Decimal
    currency: str

    def check(self, total: int) -> None:
        """Raises TotalChanged where it is another by now."""
        now = to_decimal(total, self.currency)
        if now != self.amount:
            raise TotalChanged(text("total_changed", total=f"{now:f}", currency=self.currency), total)
