"""Counts that all processes share, in PostgreSQL and in Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
from structlog.testing import capture_logs
from tests.counting import counted
from tests.redis_server import RedisServer, redis_server

from db.core.sessions import Sessions
from services.access.attempt_counts import PAUSE, AttemptCounts, Counted, Limit
from services.access.attempt_limits import OF_ADDRESS, OF_CUSTOMER, OF_PARTNER, AttemptLimits
from services.access.flood_alarm import FloodAlarm
from services.core.expiry import Sweeper
from services.core.transactions import Transactions
from services.core.viewer import CODES_OF_OPERATION, Audience, Viewer, network

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEW = Limit("tests", 5)
ORGANISATION = uuid4()

Process = Callable[[], AttemptCounts]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["postgresql", pytest.param("redis", marks=pytest.mark.processes)])
async def process(request: pytest.FixtureRequest, sessions: Sessions) -> AsyncIterator[Process]:
    """Makes what stands for one process each."""
    made: list[AttemptCounts] = []
    url = request.getfixturevalue("redis").url if request.param == "redis" else None

    def make() -> AttemptCounts:
        made.append(AttemptCounts(sessions, url))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def number(counts: AttemptCounts, whom: Counted, added: int = 0, now: datetime = NOW) -> int:
    return (await counts.add({whom: added}, now))[whom].number


async def test_processes_count_together(process: Process) -> None:
    here, there = process(), process()
    whom = FEW.of(uuid4())
    assert [await number(here, whom, 2), await number(there, whom, 3), await number(here, whom)] == [2, 5, 5]


async def test_who_asks_is_told_how_long_it_counts(process: Process) -> None:
    whom = FEW.of(uuid4())
    found = (await process().add({whom: 1}, NOW))[whom]
    assert timedelta(minutes=9, seconds=59) < found.until - NOW <= timedelta(minutes=10)


async def test_what_is_given_back_is_not_counted(process: Process) -> None:
    counts, whom = process(), FEW.of(uuid4())
    await number(counts, whom, 4)
    await number(counts, whom, -3)
    assert await number(counts, whom) == 1


async def test_of_many_at_once_each_is_told_another_number(process: Process) -> None:
    here, there = process(), process()
    whom = FEW.of(uuid4())
    found = await asyncio.gather(*(number(counts, whom, 1) for counts in (here, there) for _ in range(40)))
    assert sorted(found) == list(range(1, 81))


async def test_what_is_asked_at_the_same_moment_is_one_statement(sessions: Sessions) -> None:
    counts = AttemptCounts(sessions)
    with counted(sessions) as statements:
        await asyncio.gather(*(number(counts, FEW.of(each), 1) for each in range(30)))
    assert len(statements) == 1


async def test_a_window_that_is_over_counts_from_nothing(sessions: Sessions) -> None:
    counts, whom = AttemptCounts(sessions), FEW.of(uuid4())
    await number(counts, whom, 4)
    later = NOW + FEW.window
    assert await number(counts, whom, now=later) == 0
    assert await number(counts, whom, -4, now=later) == 0, "what is given back late is forgotten"
    assert await number(counts, whom, 1, now=later) == 1


async def test_what_is_over_is_swept(sessions: Sessions) -> None:
    counts = AttemptCounts(sessions)
    await number(counts, FEW.of(1), 1)
    await number(counts, FEW.of(2), 1, now=NOW + timedelta(minutes=5))
    transactions = Transactions(sessions, lambda _organisation, _subjects: None)
    await Sweeper(sessions, transactions).sweep(NOW + FEW.window)
    assert await number(counts, FEW.of(2), now=NOW + timedelta(minutes=5)) == 1
    assert await number(counts, FEW.of(1)) == 0


@pytest.mark.processes
async def test_while_redis_is_away_postgresql_counts_for_all(sessions: Sessions, redis: RedisServer) -> None:
    here, there = AttemptCounts(sessions, redis.url), AttemptCounts(sessions, redis.url)
    redis.kill()
    whom = FEW.of(uuid4())
    with capture_logs() as logs:
        assert [await number(counts, whom, 1) for counts in (here, there, here, there)] == [1, 2, 3, 4]
    assert len(logs) == 2, "one line a process"


@pytest.mark.processes
async def test_nobody_waits_again_for_a_redis_that_hangs(sessions: Sessions, redis: RedisServer) -> None:
    counts = AttemptCounts(sessions, redis.url)
    redis.stop()
    with capture_logs() as logs:
        assert [await number(counts, FEW.of(7), 1) for _ in range(3)] == [1, 2, 3]
    assert len(logs) == 1


@pytest.mark.processes
async def test_a_redis_that_is_back_is_asked_again(
    sessions: Sessions, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = AttemptCounts(sessions, redis.url), AttemptCounts(sessions, redis.url)
    redis.kill()
    whom = FEW.of(uuid4())
    await number(here, whom, 1)
    redis.start()
    await number(there, whom, 7)
    assert await number(here, whom) == 1
    later = asyncio.get_running_loop().time() + PAUSE
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: later)
    with capture_logs() as logs:
        assert await number(here, whom) == 7
    assert [line["event"] for line in logs] == ["attempts are counted in Redis again"]


@pytest.mark.processes
async def test_a_redis_that_stays_away_is_told_once(
    sessions: Sessions, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts, loop = AttemptCounts(sessions, redis.url), asyncio.get_running_loop()
    redis.kill()
    with capture_logs() as logs:
        for passed in range(3):
            later = loop.time() + passed * PAUSE
            monkeypatch.setattr(loop, "time", lambda later=later: later)
            await number(counts, FEW.of(1), 1)
    assert len(logs) == 1


# ── Who is who ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8:0:ff:ffff::2", True),
        ("2001:db8::1", "2001:db8:0:100::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("not an address", "not an address", True),
    ],
)
def test_a_customer_of_a_network_has_one_ipv4_address_or_a_56_of_ipv6(one: str, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


def test_no_name_or_address_is_kept() -> None:
    assert "192.0.2.1" not in FEW.of("192.0.2.1").key
    assert len(FEW.of("x" * 100_000).key) == 64


def shopper(address: str = "192.0.2.1") -> Viewer:
    return Viewer(Audience.SHOPPER, ORGANISATION, "theatre", "shopper:SHOP", address=address)


def contact(name: str = "BLANDINE") -> Viewer:
    return Viewer(Audience.CONTACT, ORGANISATION, "theatre", f"contact:{name}", address="192.0.2.1")


def partner() -> Viewer:
    return Viewer(Audience.PARTNER, ORGANISATION, "theatre", "partner:TYD", address="192.0.2.1")


async def guess(limits: AttemptLimits, viewer: Viewer, codes: int) -> int:
    """How many of so many unknown codes were looked up."""
    names = [f"GUESS{each}" for each in range(codes)]
    async with limits.trying(viewer, names, NOW) as tries:
        allowed = [name for name in names if name not in tries.refused]
        await asyncio.sleep(0)
        tries.found_unknown(allowed)
    return len(allowed)


def limits_on(sessions: Sessions) -> AttemptLimits:
    return AttemptLimits(AttemptCounts(sessions), FloodAlarm())


@pytest.mark.parametrize(
    ("viewer", "most"),
    [
        (shopper, OF_ADDRESS.most),
        (contact, OF_CUSTOMER.most),
        (partner, OF_PARTNER.most),
    ],
)
async def test_codes_tried_at_the_same_moment_by_two_processes_are_no_more_than_may_be(
    sessions: Sessions, viewer: Callable[[], Viewer], most: int
) -> None:
    here, there = limits_on(sessions), limits_on(sessions)
    tried = await asyncio.gather(*(guess(limits, viewer(), 15) for limits in (here, there) for _ in range(most // 15)))
    assert sum(tried) == most
    assert await guess(here, viewer(), 1) == 0


async def test_one_operation_of_somebody_unknown_is_one_customers(sessions: Sessions) -> None:
    limits, viewer = limits_on(sessions), shopper()
    looked_up = await asyncio.gather(*(guess(limits, viewer, 50) for _ in range(60)))
    assert sum(looked_up) == CODES_OF_OPERATION
    assert await guess(limits, shopper(), 1) == 1, "the next is another one's"


async def test_many_good_codes_at_the_same_moment_leave_no_trace(sessions: Sessions) -> None:
    limits, viewer = limits_on(sessions), contact()

    async def use() -> None:
        async with limits.trying(viewer, ["GOOD"], NOW) as tries:
            assert not tries.refused

    for _ in range(10):
        await asyncio.gather(*(use() for _ in range(OF_CUSTOMER.most)))
        await limits.close()
    assert await guess(limits, viewer, 100) == OF_CUSTOMER.most


async def test_one_code_at_a_time_counts_when_it_fails_and_only_then(sessions: Sessions) -> None:
    here, there = limits_on(sessions), limits_on(sessions)
    whom = OF_CUSTOMER.of(ORGANISATION, contact().actor)
    async with here.trying(contact(), ["GOOD"], NOW) as tries:
        assert not tries.refused
        assert await number(AttemptCounts(sessions), whom) == 0
    for each in range(OF_CUSTOMER.most):
        assert await guess((here, there)[each % 2], contact(), 1) == 1
        assert await number(AttemptCounts(sessions), whom) == each + 1
    assert [await guess(limits, contact(), 1) for limits in (here, there)] == [0, 0]


async def test_a_flood_from_an_address_is_noticed_by_baskets_too(sessions: Sessions) -> None:
    limits = limits_on(sessions)
    while await guess(limits, shopper(), 50):
        pass
    async with limits.trying(shopper(), ["GOOD"], NOW, in_basket=True) as tries:
        assert tries.refused == {"GOOD"}
    async with limits.trying(shopper("192.0.2.2"), ["GOOD"], NOW, in_basket=True) as tries:
        assert not tries.refused


async def test_who_could_not_be_counted_leaves_others_to_count_themselves(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = AttemptCounts(sessions)
    limits, whom = AttemptLimits(counts, FloodAlarm()), OF_CUSTOMER.of(ORGANISATION, contact().actor)
    async with limits.trying(contact(), ["GUESS"], NOW) as tries:
        with monkeypatch.context() as broken:
            broken.setattr(counts, "add", AsyncMock(side_effect=ConnectionError))
            with pytest.raises(ConnectionError):
                await guess(limits, contact(), 2)
        tries.found_unknown({"GUESS"})
    await limits.close()
    assert await number(counts, whom) == 1


async def test_a_try_that_is_made_again_counts_once(sessions: Sessions) -> None:
    limits, viewer = limits_on(sessions), contact()
    for each in range(OF_CUSTOMER.most):
        async with limits.trying(viewer, [f"GUESS{each}"], NOW) as tries:
            for _ in range(8):
                tries.found_unknown({f"GUESS{each}"})
    async with limits.trying(viewer, ["GOOD"], NOW) as tries:
        assert tries.refused == {"GOOD"}
        assert tries.until == NOW + OF_CUSTOMER.window


async def test_who_leaves_before_the_look_is_given_back_what_was_counted(sessions: Sessions) -> None:
    limits, viewer = limits_on(sessions), contact()
    tries = [asyncio.create_task(guess(limits, viewer, 2)) for _ in range(OF_CUSTOMER.most)]
    await asyncio.sleep(0)
    for each in tries:
        each.cancel()
    await asyncio.gather(*tries, return_exceptions=True)
    await limits.close()
    assert await guess(limits, viewer, 100) == OF_CUSTOMER.most


async def test_a_look_that_never_was_does_not_count(sessions: Sessions) -> None:
    limits, viewer = limits_on(sessions), contact()
    for _ in range(2 * OF_CUSTOMER.most):
        with pytest.raises(ConnectionError):
            async with limits.trying(viewer, ["GUESS"], NOW):
                raise ConnectionError
        await limits.close()
    assert await guess(limits, viewer, 1) == 1
