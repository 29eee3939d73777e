"""SIGTERM, SIGHUP and ``kill -9`` under load: who was let in is answered, who watches is told, and then it ends."""

import asyncio
import json
import signal
import time
from pathlib import Path

import asyncpg
import httpx
import pytest
import websockets
from sqlalchemy.engine import make_url
from tests import gala
from tests.graphql.transport.streams import PROTOCOL, asked
from tests.sesame.server.edges import until
from tests.sesame.server.served import Load, Served, served

pytestmark = [pytest.mark.alone, pytest.mark.processes]

CLIENTS = 24
PATIENT = {"QUERIES_AT_ONCE": 2 * CLIENTS}
"""Nobody is refused, however slow the machine."""


async def ended(server: Served, seconds: float = 30) -> int:
    return await asyncio.to_thread(server.process.wait, seconds)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_a_stop_under_load_breaks_no_connection(database_url: str, tmp_path: Path, workers: int) -> None:
    made = await gala.build(database_url)
    with served(database_url, tmp_path, workers, **PATIENT) as server:
        load = Load(server.port, made.shopper)
        running = asyncio.create_task(load.run(CLIENTS))
        await until(lambda: load.seen["200"] > 100, 20)
        async with httpx.AsyncClient(base_url=server.address) as client:
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(1):
                while (await client.get("/ready", headers={"Connection": "close"})).status_code == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        before = load.seen["200"]
        assert await ended(server) == 0
        await asyncio.wait_for(running, 30)
    assert load.seen["200"] > before
    assert set(load.seen) == {"200", "nobody listens"}, load.seen
    assert "Traceback" not in server.log


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_watchers_are_told_to_come_again_not_all_at_once(database_url: str, tmp_path: Path, workers: int) -> None:
    made = await gala.build(database_url)
    told: list[float] = []

    async def watch(address: str, ready: asyncio.Event) -> int:
        url = address.replace("http", "ws") + "/graphql"
        async with websockets.connect(url, subprotocols=[PROTOCOL]) as connection:
            init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {made.staff}"}}
            await connection.send(json.dumps(init))
            await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked("RedemptionCounts")}))
            types = set()
            try:
                while True:
                    types.add(json.loads(await connection.recv())["type"])
                    if "next" in types:
                        ready.set()
            except websockets.ConnectionClosed as closed:
                told.append(time.monotonic())
                return closed.rcvd.code if closed.rcvd and types == {"connection_ack", "next"} else 0

    with served(database_url, tmp_path, workers, DRAIN_PAUSE_SECONDS=0) as server:
        watching = []
        for _ in range(40):
            ready = asyncio.Event()
            watching.append(asyncio.create_task(watch(server.address, ready)))
            await asyncio.wait_for(ready.wait(), 10)
        server.process.send_signal(signal.SIGTERM)
        assert set(await asyncio.gather(*watching)) == {1012}
        assert await ended(server) == 0
    assert max(told) - min(told) > 0.5


async def test_an_event_stream_ends_without_being_complete(database_url: str, tmp_path: Path) -> None:
    made = await gala.build(database_url)
    with served(database_url, tmp_path, 1, DRAIN_PAUSE_SECONDS=0) as server:
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream(
                "POST",
                f"{server.address}/graphql/stream",
                json=asked("RedemptionCounts"),
                headers={"Authorization": f"Bearer {made.staff}"},
            ) as response,
        ):
            parts = response.aiter_text()
            heard = await anext(parts)
            server.process.send_signal(signal.SIGTERM)
            heard += "".join([part async for part in parts])
        assert "event: next" in heard
        assert "event: complete" not in heard
        assert await ended(server) == 0


@pytest.mark.long
async def test_what_takes_long_is_answered_and_what_takes_for_ever_is_not_waited_for(
    database_url: str, tmp_path: Path
) -> None:
    made = await gala.build(database_url)
    connection = await asyncpg.connect(
        host=str(make_url(database_url).query["host"]), user="postgres", database=make_url(database_url).database
    )
    for seconds_of_lock, outcome in ((2, "200"), (7, None)):
        with served(database_url, tmp_path, DRAIN_SECONDS=4) as server:
            load = Load(server.port, made.shopper)
            assert await load.once() == "200"
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("LOCK TABLE baskets")
            line = {"input": {"lines": [made.line("PLAIN")]}}
            async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
                asking = asyncio.create_task(gala.send(client, made.shopper, "createBasket", line))
                await asyncio.sleep(0.5)
                server.process.send_signal(signal.SIGTERM)
                started = time.monotonic()
                leaving = asyncio.create_task(ended(server, 40))
                await asyncio.wait([leaving], timeout=seconds_of_lock)
                assert leaving.done() == (outcome is None)
                await transaction.rollback()
                if outcome is not None:
                    assert (await asking)["id"]
                else:
                    assert time.monotonic() - started < 20
                    await asyncio.gather(asking, return_exceptions=True)
                assert await leaving == 0
    await connection.close()


@pytest.mark.long
async def test_server_processes_are_replaced_under_load_without_breaking_a_connection(
    database_url: str, tmp_path: Path
) -> None:
    made = await gala.build(database_url)
    with served(database_url, tmp_path, DRAIN_PAUSE_SECONDS=0.2, **PATIENT) as server:
        first = {each.pid for each in server.workers()}
        load = Load(server.port, made.shopper)
        running = asyncio.create_task(load.run(CLIENTS))
        await until(lambda: load.seen["200"] > 100, 20)
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: len(server.workers()) == 2 and not first & {each.pid for each in server.workers()}, 60)
        before = load.seen["200"]
        await until(lambda: load.seen["200"] > before + 100, 20)
        load.stop()
        await running
        assert set(load.seen) == {"200"}, load.seen


async def test_a_killed_server_process_takes_only_its_own_connections_along(database_url: str, tmp_path: Path) -> None:
    made = await gala.build(database_url)
    with served(database_url, tmp_path, **PATIENT) as server:
        load = Load(server.port, made.shopper)
        running = asyncio.create_task(load.run(CLIENTS))
        await until(lambda: load.seen["200"] > 100, 20)
        killed = server.workers()[0]
        killed.kill()
        before = load.seen["200"]
        await until(lambda: load.seen["200"] > before + 200, 20)
        await until(lambda: len({each.pid for each in server.workers()} - {killed.pid}) == 2, 20)
        load.stop()
        await running
        broken = sum(number for became, number in load.seen.items() if became != "200")
        assert broken <= CLIENTS, load.seen
        assert "nobody listens" not in load.seen
