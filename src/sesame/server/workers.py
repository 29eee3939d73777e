"""Several server processes on one socket: each is replaced when it ends, and all end together."""

import os
import signal
import socket
import time
from typing import Final

import structlog
from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import Server as UvicornServer
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from sesame.server.edge import Config
from sesame.server.leaving import HAND_OVER, Server

_STARTING_SECONDS: Final = 60.0
_ENDING: Final = frozenset({signal.SIGINT, signal.SIGTERM})

_log = structlog.get_logger("sesame.server.workers")


class ServerProcess(Process):
    """One of them."""

    @property
    def server(self) -> UvicornServer:
        if self._server is None:
            self._server = Server(self.config)
        return self._server

    def hand_over(self) -> None:
        """Has it answer what it took, and leave what comes to the others."""
        if self.exitcode is None and self.pid is not None:
            os.kill(self.pid, HAND_OVER)


class Workers(Multiprocess):
    """Keeps ``config.workers`` processes running; SIGHUP replaces them one after the other."""

    def __init__(self, config: Config, listener: socket.socket, patience: float) -> None:
        """``patience`` is for how many seconds a process may take its leave."""
        super().__init__(config, [listener])
        self._patience = patience
        self._retired: list[Process] = []

    processes: list[ServerProcess]  # type: ignore[assignment]

    def init_processes(self) -> None:
        self.processes = [self._started() for _ in range(self.processes_num)]

    def restart_all(self) -> None:
        for place, old in enumerate(self.processes):
            new = self._started()
            if not self._comes_up(new):
                new.kill()
                new.join()
                _log.error("a new server process was not ready in time", keeps=old.pid)
                return
            self.processes[place] = new
            self._retired.append(old)
            old.hand_over()

    def keep_subprocess_alive(self) -> None:
        self._retired = [each for each in self._retired if each.exitcode is None]
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                self.should_exit.set()
                return
            _log.warning("a server process ended", pid=process.pid, code=process.exitcode)
            self.processes[place] = self._started()

    def terminate_all(self) -> None:
        for process in (*self.processes, *self._retired):
            process.terminate()

    def join_all(self) -> None:
        end = time.monotonic() + self._patience
        for process in (*self.processes, *self._retired):
            process.process.join(max(0.0, end - time.monotonic()))
            if process.exitcode is None:
                _log.warning("a server process did not end in time", pid=process.pid)
                process.process.kill()
                process.process.join()

    def handle_ttin(self) -> None:
        """The number of processes is what the command line said."""

    handle_ttou = handle_ttin

    def _comes_up(self, new: ServerProcess) -> bool:
        end = time.monotonic() + _STARTING_SECONDS
        while new.process.is_alive() and time.monotonic() < end and not _ENDING & set(self.signal_queue):
            if new.is_ready(timeout=0.2):
                return True
            time.sleep(0.05)
        return False

    def _started(self) -> ServerProcess:
        process = ServerProcess(self.config, self.sockets)
        process.start()
        return process
