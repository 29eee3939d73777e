"""The example as a large house has it: thousands of performances and of running offers beside its own."""

import copy
from collections.abc import Callable
from typing import Any

PERFORMANCES_EACH = 10
"""Of each product that is added."""

# Of every target that there is, where a basket of the example's own performances meets them and where it does not.
_TARGETS: list[dict[str, Any]] = [
    {"targetType": "PUBLIC"},
    {"targetType": "PUBLIC"},
    {"targetType": "INDICATOR", "target": {"indicator": "ASSIDUITY", "level": "REGULAR"}},
    {"targetType": "SINGLE_USE_CODE"},
]


def grown(performances: int, offers: int, organisation: str = "theatre") -> Callable[[dict[str, Any]], None]:
    """Adds so many performances, and offers until there are so many, to a data file with the example."""

    def grow(document: dict[str, Any]) -> None:
        document["organisation"]["code"] = organisation
        document["batches"] = []
        model = document["products"][0]
        for number in range(performances // PERFORMANCES_EACH):
            product = {**copy.deepcopy(model), "code": f"SHOW-{number}"}
            show = product["performances"][0]
            product["performances"] = [{**show, "code": f"SHOW-{number}-{n}"} for n in range(PERFORMANCES_EACH)]
            document["products"].append(product)
        document["advantages"] += [_own(place) for place in range(min(10, offers))]
        places = range(max(0, offers - len(document["advantages"])))
        document["advantages"] += [_other(place, performances // PERFORMANCES_EACH) for place in places]

    return grow


def _own(place: int) -> dict[str, Any]:
    """What a basket of the example meets, whatever the house runs elsewhere."""
    benefit = {"percentOff": str(3 + place)} if place % 2 else {"amountOff": f"{1 + place}.00"}
    return _advantage(f"OWN-{place}", {"targetType": "PUBLIC"}, benefit, {"products": ["HELENE"]})


def _other(place: int, products: int) -> dict[str, Any]:
    scope = {"products": [f"SHOW-{place % products}"]} if products else {"products": ["ZINMAN"]}
    return _advantage(f"OTHER-{place}", _TARGETS[place % len(_TARGETS)], {"percentOff": str(5 + place % 40)}, scope)


def _advantage(code: str, target: dict[str, Any], benefit: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": code,
        "season": "2026-27",
        "family": "EVENT",
        "state": "RUNNING",
        "internalName": {"fr": f"Offre {code}"},
        "publicName": {"fr": f"Offre {code}", "en": f"Offer {code}"},
        "benefit": benefit,
        "scope": scope,
        "limits": {"perOrder": 50},
        "channels": ["WEB", "COUNTER"],
        **target,
    }
