"""What a large catalogue costs: edits of offers beside sales, prices under many offers, starts, memory.

Prices with and without edits are measured in turn, and so are those under many and under few offers: the medians of the
rounds, and how far apart these lie. Everything over HTTP on two workers but for the memory, which is one process's.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from itertools import cycle
from statistics import median, quantiles

import uvloop

from benchmarks.price_basket import PRICE
from benchmarks.support.crowd import Client, Outcome, closed_loop, open_loop
from benchmarks.support.large import grown
from benchmarks.support.load import once, request
from benchmarks.support.serving import Sesame, loaded, served, sesame
from benchmarks.support.shop import HOST, two_seats

ROUNDS, SECONDS = 3, 8.0
OFFERS, PERFORMANCES = 10_000, 20_000
PRICES_A_SECOND, EDITS_A_SECOND, CONNECTIONS = 40, 4, 32
ORGANISATIONS = 100

MOST_EDIT_MILLISECONDS = 50
MOST_WAIT_MILLISECONDS = 50
"""So much longer a price may take while offers are edited, at the 99th percentile."""
MOST_OF_FEW = 1.3
"""So much longer a price may take under all offers than under ten."""
MOST_START_SECONDS = 3.0
MOST_OF_ALL = 0.35
"""Of the memory of all organisations, where a quarter of them may be kept."""
START = (10_000, 2_000)
"""Performances and offers of the house whose start is measured."""

EDIT = """mutation ($input: UpdateAdvantageInput!) { updateAdvantage(input: $input) {
    __typename ... on Advantage { version } } }"""
SOME = '{ advantages(first: 20, search: "OWN-") { edges { node { id code } } } }'


class Editor:
    """Staff who edit one offer after the other."""

    def __init__(self, server: Sesame) -> None:
        self._port = server.port
        self._token = server.token("staff", "--roles", "CATALOGUE,VIEWER")
        edges = server.ask(self._token, SOME)["advantages"]["edges"]
        self._offers = cycle([edge["node"]["id"] for edge in edges])
        self._number = 0
        self.took: list[float] = []

    async def work(self, seconds: float) -> None:
        """Edits so many times a second, each when its time has come and the one before is done."""
        _, client = await asyncio.get_running_loop().create_connection(Client, HOST, self._port)
        start = time.perf_counter()
        for place in range(int(seconds * EDITS_A_SECOND)):
            await asyncio.sleep(max(0.0, start + place / EDITS_A_SECOND - time.perf_counter()))
            began = time.perf_counter()
            status, body = await client.ask(self._next())
            self.took.append(time.perf_counter() - began)
            if status != 200 or b'"version":' not in body:
                raise RuntimeError(body.decode())
        client.close()

    def _next(self) -> bytes:
        self._number += 1
        names = {"internalName": {"fr": f"Offre {self._number}"}, "limits": {"perOrder": 50 + self._number}}
        variables = {"input": {"offerId": next(self._offers), **names}}
        return request(HOST, "/graphql", self._token, json.dumps({"query": EDIT, "variables": variables}).encode())


def prices(server: Sesame) -> list[bytes]:
    token = server.token("shopper", "--point-of-sale", "SHOP")
    body = json.dumps({"query": PRICE, "variables": {"input": {"lines": [two_seats(server, token)]}}}).encode()
    return [request(HOST, "/graphql", token, body)]


def beside_edits(server: Sesame, rounds: int, seconds: float) -> None:
    """Prices a second at a steady rate, alone and beside edits."""
    requests, editor = prices(server), Editor(server)

    async def measured(edited: bool) -> Outcome:
        editing = asyncio.ensure_future(editor.work(seconds if edited else 0))
        outcome = await open_loop(server.port, requests, PRICES_A_SECOND, CONNECTIONS, seconds)
        await editing
        return outcome

    uvloop.run(measured(edited=True))
    editor.took.clear()
    alone, edited = [], []
    for _ in range(rounds):
        alone.append(uvloop.run(measured(edited=False)))
        edited.append(uvloop.run(measured(edited=True)))
    for name, outcomes in (("alone", alone), ("beside edits", edited)):
        wrong = sum(len(each.wrong) + len(each.refused) for each in outcomes)
        halves, tails = [_ms(each.answered, 50) for each in outcomes], [_ms(each.answered, 99) for each in outcomes]
        print(
            f"  {name:13} p50 {median(halves):6.1f} ms   p99 {median(tails):6.1f} ms {_spread(tails)}   {wrong} wrong"
        )
    later = [_ms(with_.answered, 99) - _ms(without.answered, 99) for without, with_ in zip(alone, edited, strict=True)]
    _judge("p99 later beside edits", median(later), MOST_WAIT_MILLISECONDS, "ms", _spread(later))
    took = editor.took
    _judge("an edit, p50", _ms(took, 50), MOST_EDIT_MILLISECONDS, "ms", f"p99 {_ms(took, 99):.0f} ms")


def many_and_few(many: Sesame, few: Sesame, rounds: int, seconds: float) -> None:
    """The same basket with the same ten offers, in a house that runs no others and in one that runs thousands."""
    own = [(server.port, prices(server)) for server in (many, few)]
    for port, requests in own:
        uvloop.run(closed_loop(port, requests, 16, seconds / 4))
    ratios = []
    for _ in range(rounds):
        under_many, under_few = (uvloop.run(closed_loop(port, requests, 16, seconds / 2)) for port, requests in own)
        ratios.append(under_few.goodput / under_many.goodput)
    _judge(f"a price under {OFFERS:,} offers to one under 10", median(ratios), MOST_OF_FEW, "times", _spread(ratios))


def start(rounds: int) -> None:
    """From the command to the first price, of a house that was there before; and of one with the example alone."""
    performances, offers = START
    with loaded(grown(performances, offers)) as large, loaded() as small:
        requests = [_request(environment) for environment in (large, small)]
        both = list(zip((large, small), requests, strict=True))
        turns = [[_started(*each) for each in both] for _ in range(rounds)]
    took = [of_large for of_large, _ in turns]
    later = median(of_large - of_small for of_large, of_small in turns)
    what = f"a start with {performances:,} performances and {offers:,} offers"
    _judge(what, median(took), MOST_START_SECONDS, "s", f"{_spread(took)}, {later:.2f} s more than the example's")


def _request(environment: dict[str, str]) -> bytes:
    with served(environment) as server:
        return prices(server)[0]


def _started(environment: dict[str, str], first: bytes) -> float:
    """Seconds until it is answered."""
    began = time.monotonic()
    with served(environment) as server:
        asyncio.run(once(HOST, server.port, first))
        return time.monotonic() - began


def memory(performances: int, offers: int) -> None:
    """What the snapshots of many organisations take of one process, and where the setting ends that."""
    with loaded() as environment:

        def told(*task: object) -> str:
            command = [sys.executable, "-m", "benchmarks.support.organisations", *map(str, task)]
            return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

        told("load", ORGANISATIONS, performances, offers)
        unbounded, bounded = json.loads(told("keep", 1)), json.loads(told("keep", 0.25))
    each, parts = unbounded["bytes"] / ORGANISATIONS, unbounded["parts"]
    print(f"  an organisation with {performances} performances and {offers} offers: {each / 1024:.0f} KiB,")
    print(
        f"    {each / parts:.0f} B for each of its {parts} parts; {ORGANISATIONS} of them {_mib(unbounded)}, ", end=""
    )
    print(f"{_mib(bounded)} with room for a quarter")
    _judge("room for a quarter to room for all", bounded["bytes"] / unbounded["bytes"], MOST_OF_ALL, "times")


def _mib(told: dict[str, int]) -> str:
    return f"{told['bytes'] / 2**20:.1f} MiB"


def main(rounds: int, seconds: float) -> None:
    print(f"growth: {OFFERS:,} offers, {PERFORMANCES:,} performances, two workers")
    with sesame(changed=grown(PERFORMANCES, OFFERS)) as many:
        beside_edits(many, rounds, seconds)
        with sesame(changed=grown(PERFORMANCES, 10)) as few:
            many_and_few(many, few, rounds, seconds)
    start(rounds)
    memory(200, 100)


def _ms(took: list[float], percentile: int) -> float:
    return quantiles(took, n=100)[percentile - 1] * 1000


def _spread(values: list[float]) -> str:
    return f"({min(values):.2f} to {max(values):.2f})"


def _judge(what: str, value: float, limit: float, unit: str, more: str = "") -> None:
    said = "ok" if value <= limit else "MISSED"
    print(f"  {what}: {value:.2f} {unit} {more}, ratio {value / limit:.2f} of the limit {limit:g} {said}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each measurement")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each round")
    arguments = parser.parse_args()
    main(arguments.rounds, arguments.seconds)
