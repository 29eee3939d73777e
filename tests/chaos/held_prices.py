"""What each basket was told its tickets cost, and whether any became dearer without its own change (docs/domain.md)."""

from collections.abc import Collection, Iterator
from typing import Any

Answer = dict[str, Any]

LOST = "CODE_INVALIDATED"
"""Why a code no longer applies that staff has taken from its basket."""


class HeldPrices:
    """The clients' memory of their baskets: what was told last is the most that may be asked next.

    A client changes a basket step by step, and a basket has tickets of one kind here, so that of its tickets those that
    stay are the cheapest.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.compared = 0
        """Tickets that a later answer showed again."""
        self._told: dict[str, Answer] = {}

    def told(self, basket: Answer, *, without: Collection[str] = ()) -> Answer:
        """Compares a basket with what was told of it before; ``without`` are codes that its owner just took out."""
        before = self._told.get(basket["id"])
        self._told[basket["id"]] = basket
        if before is not None:
            due = sorted(_due(before, len(set(_lost(before, basket)) | set(without))))
            now = sorted(_cents(ticket["price"]) for ticket in _tickets(basket))
            self.compared += min(len(due), len(now))
            if any(paid > most for paid, most in zip(now, due, strict=False)):
                self.problems.append(f"tickets became dearer: {due} were told, now {now}: {basket['id']}")
        return basket


def _due(before: Answer, lost: int) -> Iterator[int]:
    """The most that its tickets may cost; each single-use code that is lost was that of one ticket."""
    tickets = sorted(_tickets(before), key=lambda ticket: _cents(ticket["price"]))
    for place, ticket in enumerate(tickets):
        yield _cents(ticket["fullPrice"] if place < lost else ticket["price"])


def _lost(before: Answer, now: Answer) -> Iterator[str]:
    applied = {code["code"] for code in before["pricing"]["codes"] if code["applied"]}
    for code in now["pricing"]["codes"]:
        if code["code"] in applied and any(refusal["code"] == LOST for refusal in code["refusals"]):
            yield code["code"]


def _tickets(basket: Answer) -> list[Answer]:
    return [ticket for line in basket["pricing"]["lines"] for ticket in line["tickets"]]


def _cents(money: Answer) -> int:
    return int(money["amount"].replace(".", ""))
