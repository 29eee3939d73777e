"""Whether a server says that work is left lying."""

from sqlalchemy import text
from tests.conftest import Server

from db.core.queue import enqueue


async def left_lying(server: Server, seconds: int, status: str = "queued") -> None:
    """A job that nobody takes."""
    async with server.own.sessions.writing() as connection:
        await enqueue(connection, "nobody", b"")
        age = "now() - make_interval(secs => :seconds)"
        await connection.execute(
            text(f"UPDATE pgqueuer SET execute_after = {age}, heartbeat = {age}, status = '{status}'"),
            {"seconds": seconds},
        )


async def test_a_server_is_ready_while_jobs_are_taken(server: Server) -> None:
    await left_lying(server, 10)
    answer = await server.client.get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_a_job_that_nobody_takes_is_told(server: Server) -> None:
    await left_lying(server, 100_000)
    answer = await server.client.get("/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (200, "degraded", "queue")
    assert answer.json()["oldestJobSeconds"] >= 100_000


async def test_a_job_whose_worker_is_not_heard_of_is_told(server: Server) -> None:
    await left_lying(server, 100_000, "picked")
    assert (await server.client.get("/ready")).json()["status"] == "degraded"


async def test_a_job_that_is_put_off_is_not_late(server: Server) -> None:
    await left_lying(server, -100_000)
    assert (await server.client.get("/ready")).json() == {"status": "ready"}
