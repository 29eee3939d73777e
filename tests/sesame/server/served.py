"""``sesame serve`` as processes of its own, and clients that tell exactly what became of each request."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from tests.servers import environment_for, free_port, is_healthy
from tests.sesame.server.edges import posted
from tests.sesame.waiting import wait_for

QUERY = b'{"query": "{ products(first: 5) { edges { node { id code } } } }"}'


class Served:
    """A running one."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def workers(self) -> list[psutil.Process]:
        """The server processes; the one of a single worker is the program itself."""
        return [each for each in psutil.Process(self.process.pid).children() if _is_worker(each)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # A zombie is none either.
        return False


@contextmanager
def served(
    url: str, folder: Path, workers: int = 2, descriptors: int | None = None, **settings: object
) -> Iterator[Served]:
    """On a database that is there; ``descriptors`` is how many files it may open."""
    port = free_port()
    log = folder / "serve.log"

    def limit() -> None:
        if descriptors is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    environment = environment_for(url, folder, **{name: str(value) for name, value in settings.items()})
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "sesame", "serve", "--port", str(port), "--workers", str(workers)],
            env=environment,
            stdout=written,
            stderr=written,
            start_new_session=True,
            preexec_fn=limit,  # noqa: PLW1509 - nothing of this process goes on in it
        )
    server = Served(process, port, log)
    try:
        wait_for(lambda: process.poll() is not None or all(is_healthy(server.address) for _ in range(4)), 60)
        assert process.poll() is None, server.log
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Load:
    """Clients with a connection a request, until they are stopped; ``seen`` counts what became of each."""

    def __init__(self, port: int, token: str) -> None:
        self.seen: Counter[str] = Counter()
        self._port = port
        self._request = posted(QUERY, Authorization=f"Bearer {token}")
        self._stopped = False

    async def run(self, clients: int) -> None:
        await asyncio.gather(*(self._client() for _ in range(clients)))

    def stop(self) -> None:
        self._stopped = True

    async def _client(self) -> None:
        while not self._stopped:
            became = await self.once()
            self.seen[became] += 1
            if became == "nobody listens":
                return

    async def once(self) -> str:
        """The status of the answer, or what there was in the place of one."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except ConnectionRefusedError:
            return "nobody listens"
        except OSError as error:
            return f"while connecting: {type(error).__name__}"
        try:
            writer.write(self._request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            body = json.loads(await reader.readexactly(length))
        except asyncio.IncompleteReadError:
            return "closed without an answer"
        except OSError as error:
            return type(error).__name__
        finally:
            writer.close()
        status = head.split()[1].decode()
        return f"{status} with errors" if "errors" in body and status == "200" else status
