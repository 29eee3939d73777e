"""Trying offers on baskets before they are put into operation (docs/domain.md, Trying an offer)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalogue.snapshot import Catalogue
from services.core.errors import Forbidden
from services.core.problems import Problems
from services.core.texts import text
from services.core.viewer import StaffRole, Viewer

ROLES: Final = (StaffRole.CATALOGUE, StaffRole.SALES, StaffRole.VIEWER)
MOST_OFFERS: Final = 50


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is supposed of a sale: that it takes place ``at`` another instant, and that ``offers`` run."""

    at: datetime | None = None
    offers: tuple[UUID, ...] = ()

    @property
    def include(self) -> frozenset[UUID]:
        return frozenset(self.offers)


NOTHING: Final = Simulation()


def check_simulation(simulation: Simulation, viewer: Viewer, catalogue: Catalogue, problems: Problems) -> None:
    """Adds what is wrong with a simulation. Raises Forbidden for those who may try nothing.

    Staff who configure, who sell, or who read everything may: a simulation holds nothing and changes nothing, but shows
    offers that nobody is meant to know yet.
    """
    if simulation == NOTHING:
        return
    if viewer.roles.isdisjoint(ROLES):
        raise Forbidden(text("trial_forbidden", roles=", ".join(ROLES)))
    if len(simulation.offers) > MOST_OFFERS:
        problems.add(("includeOfferIds",), text("too_many_offers", maximum=MOST_OFFERS))
        return
    for position, offer in enumerate(simulation.offers):
        if offer not in catalogue.offers:
            problems.add(("includeOfferIds", str(position)), text("unknown_offer"))
