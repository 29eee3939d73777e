"""What both HTTP benchmarks need of the example's shop, and how they are compared."""

import asyncio
from collections.abc import Callable

from benchmarks.support.load import Measurement, measure, once
from benchmarks.support.serving import Sesame, peer, sesame

HOST = "127.0.0.1"

_FIND = """{ products(first: 100) { edges { node { performances { edges { node { id code prices {
    seatCategory { id code } audienceSubCategory { id code } } } } } } } } }"""


def compare(name: str, prepare: Callable[[Sesame], list[bytes]]) -> None:
    """Prints requests a second and latency of ours and the peer's, and the ratio."""
    with sesame() as server:
        requests = prepare(server)
        answer, ours = asyncio.run(_measured(server.port, requests))
    with peer(answer) as port:
        _, theirs = asyncio.run(_measured(port, requests))
    print(f"{name}: {len(requests)} requests, an answer of {len(answer)} bytes")
    print(f"  sesame     {ours}")
    print(f"  starlette  {theirs}")
    print(f"  ratio      {ours.per_second / theirs.per_second:.3f} of its requests a second")


def two_seats(server: Sesame, token: str) -> dict[str, object]:
    """Two seats of the first combination of HELENE-1217."""
    products = server.ask(token, _FIND)["products"]["edges"]
    performance = next(
        edge["node"]
        for product in products
        for edge in product["node"]["performances"]["edges"]
        if edge["node"]["code"] == "HELENE-1217"
    )
    price = performance["prices"][0]
    return {
        "performanceId": performance["id"],
        "seatCategoryId": price["seatCategory"]["id"],
        "audienceSubCategoryId": price["audienceSubCategory"]["id"],
        "quantity": 2,
    }


async def _measured(port: int, requests: list[bytes]) -> tuple[bytes, Measurement]:
    """An answer, then the measurement after a warm-up."""
    answer = await once(HOST, port, requests[0])
    warm_up = len(requests) // 10
    await measure(HOST, port, requests[1:warm_up])
    return answer, await measure(HOST, port, requests[warm_up:])
