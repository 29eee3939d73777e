"""More than two workers can do: how much is still done, how long it takes, and how soon the rest is refused.

The peak is that of the best of several numbers of connections in the same run; then twice its rate is offered, and then
a thousand clients come at once who wait as they are told to. Health is asked for meanwhile.
"""

import argparse

import uvloop

from benchmarks.price_basket import prepare
from benchmarks.support.crowd import Outcome, closed_loop, health, open_loop, p99
from benchmarks.support.serving import sesame

PEAK_AT = (8, 16, 32, 48)
CONNECTIONS = 1000
SECONDS = 8.0

LEAST_GOODPUT = 0.8
"""Of the peak."""
MOST_MILLISECONDS = 100
"""Until a refusal, and until health is told."""


def main(seconds: float) -> None:
    with sesame() as server:
        requests = prepare(server)[:1]
        peak = max(
            (uvloop.run(closed_loop(server.port, requests, number, seconds / 2)) for number in PEAK_AT),
            key=lambda each: each.goodput,
        )
        with health(server.port) as twice_health:
            twice = uvloop.run(open_loop(server.port, requests, 2 * peak.goodput, CONNECTIONS, seconds))
        with health(server.port) as crowd_health:
            crowd = uvloop.run(closed_loop(server.port, requests, CONNECTIONS, seconds))
    print(f"overload: priceBasket on two workers, a peak of {peak.goodput:.0f}/s, p99 {p99(peak.answered):.0f} ms")
    _tell("twice the peak", twice, peak, twice_health)
    _tell(f"{CONNECTIONS} clients", crowd, peak, crowd_health)


def _tell(what: str, outcome: Outcome, peak: Outcome, healthy: list[float]) -> None:
    ratio = outcome.goodput / peak.goodput
    print(f"  {what}: {len(outcome.answered)} answered, {len(outcome.refused)} refused, {len(outcome.wrong)} wrong")
    print(f"    goodput    {ratio:6.2f} of the peak, at least {LEAST_GOODPUT} wanted")
    print(f"    answered   p99 {p99(outcome.answered):6.0f} ms")
    for name, took in (("refused", outcome.refused), ("health", healthy)):
        print(f"    {name:9}  p99 {p99(took):6.0f} ms   ratio {p99(took) / MOST_MILLISECONDS:.2f} of the limit")
    for wrong in sorted(set(outcome.wrong))[:5]:
        print(f"    wrong: {wrong}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each overload")
    main(parser.parse_args().seconds)
