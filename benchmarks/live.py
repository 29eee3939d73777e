"""Live counts: ten thousand subscribers on one process, over 50 offers that change 500 times a second.

From a commit in one process to its delivery by another, memory a subscriber, CPU while nothing changes, and what the
subscribers cost those who write. A message that has a later change too delivers the earlier one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from benchmarks.support.serving import Sesame, sesame
from benchmarks.support.watchers import SAMPLE
from resolvers.runtime.ids import decode

OFFERS = 50
RATE = 500
SECONDS = 15
QUIET_SECONDS = 3  # Longer than it takes to find by its version what no signal told of.

FIND = "{ advantages(first: 100) { edges { node { id code } } } }"


def main(subscribers: int, seconds: int) -> None:
    _raise_file_limit()
    with sesame(workers=1, changed=_with_many_offers) as server, tempfile.NamedTemporaryFile() as seen:
        token = server.token("staff", "--roles", "VIEWER")
        found = server.ask(token, FIND)["advantages"]["edges"]
        offers = [edge["node"]["id"] for edge in found if edge["node"]["code"].startswith("LIVE")]
        paced, alone = _changed(server, offers, RATE, seconds), _changed(server, offers, 0, seconds)
        before = sum(len(each) for each in (*paced, *alone))
        process = psutil.Process(server.pid)
        memory = process.memory_info().rss
        with _watching(server, token, offers, subscribers, Path(seen.name)):
            time.sleep(QUIET_SECONDS)
            memory = process.memory_info().rss - memory
            idle = _cpu(process, seconds)
            started = sum(process.cpu_times()[:2])
            measured = _changed(server, offers, RATE, seconds)
            busy = (sum(process.cpu_times()[:2]) - started) / seconds
            time.sleep(QUIET_SECONDS)
            crowded = _changed(server, offers, 0, seconds)
            time.sleep(QUIET_SECONDS)
        heard = json.loads(Path(seen.name).read_text())
    base = [len(one) + len(other) for one, other in zip(paced, alone, strict=True)]
    final = [sum(each) for each in zip(base, map(len, measured), map(len, crowded), strict=True)]
    behind = sum(version != final[offer] for offer, version in heard["last"])
    delays = _delays(heard["seen"], measured, base)
    cuts = quantiles(delays, n=100)
    messages = sum(measured[0][0] <= at <= measured[0][-1] for _, _, at in heard["seen"]) * SAMPLE
    print(f"live: {subscribers} subscribers on one process, {OFFERS} offers, {before} changes before they came")
    print(f"  commit to delivery   p50 {cuts[49] * 1000:6.0f} ms   p99 {cuts[98] * 1000:6.0f} ms   of {len(delays)}")
    print(f"  messages             {messages / seconds:6.0f}/s, {busy:.0%} of a core")
    print(f"  memory a subscriber  {memory / subscribers / 1024:6.1f} KB")
    print(f"  CPU while idle       {idle:6.2%} of a core")
    print(f"  changes at {RATE}/s     {_rate(paced):6.0f}/s without subscribers, {_rate(measured):.0f}/s with them")
    print(f"  as many as go        {_rate(alone):6.0f}/s without subscribers, {_rate(crowded):.0f}/s with them")
    paced_ratio, ratio = _rate(measured) / _rate(paced), _rate(crowded) / _rate(alone)
    print(f"  ratio                {paced_ratio:6.2f} at {RATE}/s, {ratio:.2f} as many as go")
    print(f"  not at the newest    {behind} subscribers at the end")


def _raise_file_limit() -> None:
    """As far as it goes; the server inherits it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _with_many_offers(document: dict[str, Any]) -> None:
    model = document["advantages"][0]
    document["advantages"] += [{**model, "code": f"LIVE{number}"} for number in range(OFFERS)]


def _changed(server: Sesame, offers: list[str], rate: int, seconds: int) -> list[list[float]]:
    """The times of the commits, by offer."""
    keys = [str(decode(offer, "Advantage", path=())) for offer in offers]
    command = [sys.executable, "-m", "benchmarks.support.changes", str(rate), str(seconds)]
    ended = subprocess.run(
        command, env=server.environment, input=json.dumps(keys) + "\n", stdout=subprocess.PIPE, text=True, check=True
    )
    commits: list[list[float]] = json.loads(ended.stdout)
    return commits


@contextmanager
def _watching(server: Sesame, token: str, offers: list[str], number: int, file: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.support.watchers", str(server.port), str(number), str(file)]
    environment = {**os.environ, "WATCHERS_TOKEN": token}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        process.stdin.write(json.dumps(offers) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the subscribers did not come through")
        yield
        process.stdin.close()
        process.wait()


def _cpu(process: psutil.Process, seconds: float) -> float:
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return float(sum(process.cpu_times()[:2]) - before) / seconds


def _rate(commits: list[list[float]]) -> float:
    times = sorted(at for each in commits for at in each)
    return len(times) / (times[-1] - times[0])


def _delays(seen: list[list[float]], commits: list[list[float]], base: list[int]) -> list[float]:
    """Seconds from each commit to its delivery, to each subscriber of the sample."""
    messages: dict[int, list[tuple[int, float]]] = {}
    for place, version, at in seen:
        messages.setdefault(int(place), []).append((int(version), at))
    delays = []
    for place, heard in messages.items():
        offer = place % OFFERS
        for (earlier, _), (version, at) in pairwise([(base[offer], 0.0), *heard]):
            first, last = max(earlier - base[offer], 0), min(version - base[offer], len(commits[offer]))
            delays += [at - commit for commit in commits[offer][first:last]]
    return delays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each measurement")
    options = parser.parse_args()
    main(options.subscribers, options.seconds)
