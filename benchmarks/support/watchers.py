"""A process of subscribers: little more than sockets, so that it measures the server.

One in ten is read as its messages come, and its times are kept; the others' wait in the kernel and are read now and
then, as a machine elsewhere would have them: a reader on this one would take from the server what it measures.

Takes port, token, number of subscribers and a file to write, and the offers' ids as JSON on standard input; says
``ready`` when each has subscribed, and ends when standard input does.
"""

import json
import os
import re
import resource
import select
import socket
import sys
import threading
import time
from itertools import cycle, islice, pairwise
from pathlib import Path

WATCH = """subscription Watch($offer: ID!) { redemptionCounts(offerId: $offer) {
    offer { id code internalName } contact { id code name }
    counts { generated available held used invalidated ticketsHeld ticketsSold ticketsControlled version } } }"""
SAMPLE = 10
_AT_ONCE = 50
"""Of those outside the sample, how many are read between two looks at the sample: a millisecond's work."""
_AROUND_SECONDS = 2.0
_TICK = 0.002
"""Seconds between two looks, by which times may be late: to be woken by each message would cost the server too."""
_PING = b"\x89\x00"
_PONG = b"\x8a\x80" + bytes(4)
_VERSION = re.compile(rb'"version":(\d+)}')


def main(port: int, token: str, number: int, file: Path) -> None:
    offers = json.loads(sys.stdin.readline())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    watchers: list[_Watcher] = []
    for place in range(number):
        watchers.append(_Watcher(port, token, offers, place))
        if place % 200 == 199:  # Who does not answer pings is taken for dead.
            for watcher in watchers:
                watcher.take(watcher.receive())
    print("ready", flush=True)
    stopping = threading.Event()

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        stopping.set()

    threading.Thread(target=stop_at_the_end_of_input, daemon=True).start()
    seen = _watch(watchers, stopping)
    file.write_text(json.dumps({"seen": seen, "last": [[each.offer, each.version] for each in watchers]}))


class _Watcher:
    """One connection; ``version`` is the newest that it has had."""

    def __init__(self, port: int, token: str, offers: list[str], place: int) -> None:
        self.offer = place % len(offers)
        self.is_sample = place // len(offers) % SAMPLE == 0
        self.version = -1
        self._rest = b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(
            b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        self._until(b"\r\n\r\n")
        self._send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
        self._until(b"connection_ack")
        payload = {"query": WATCH, "variables": {"offer": offers[self.offer]}}
        self._send({"type": "subscribe", "id": f"watch-{place}", "payload": payload})
        self.socket.setblocking(False)

    def receive(self) -> bytes:
        """What has come, empty where nothing has; pings are answered."""
        try:
            part = self.socket.recv(1 << 16)
        except BlockingIOError:
            return b""
        if not part:
            raise RuntimeError("the server closed the connection")
        if _PING in part:
            self.socket.sendall(_PONG)
        return part

    def take(self, part: bytes) -> list[int]:
        """The versions in what has come, each newer than all before."""
        heard = self._rest + part
        end = heard.rfind(b"}") + 1
        # What is cut in two is read when its rest has come.
        self._rest = heard[end:]
        versions = [int(found) for found in _VERSION.findall(heard, 0, end)]
        if any(later <= earlier for earlier, later in pairwise([self.version, *versions])):
            raise RuntimeError(f"versions out of order: {self.version}, {versions}")
        self.version = versions[-1] if versions else self.version
        return versions

    def _send(self, message: object) -> None:
        data = json.dumps(message).encode()
        # Masked by zeros: the data stays as it is.
        size = bytes([0x80 | 126]) + len(data).to_bytes(2, "big") if len(data) > 125 else bytes([0x80 | len(data)])
        head = bytes([0x81]) + size
        self.socket.sendall(head + bytes(4) + data)

    def _until(self, end: bytes) -> None:
        heard = b""
        while end not in heard:
            part = self.socket.recv(4096)
            if not part:
                raise RuntimeError(heard.decode(errors="replace"))
            heard += part


def _watch(watchers: list[_Watcher], stopping: threading.Event) -> list[list[float]]:
    """Subscriber, version and time of each message of the sample."""
    poll = select.epoll()
    sample = {}
    for place, watcher in enumerate(watchers):
        if watcher.is_sample:
            poll.register(watcher.socket, select.EPOLLIN | select.EPOLLET)
            sample[watcher.socket.fileno()] = place
    others = [each for each in watchers if not each.is_sample]
    parts: list[tuple[int, bytes, float]] = []
    start, drained = time.monotonic(), 0
    while not stopping.wait(_TICK):
        for descriptor, _ in poll.poll(0, len(sample)):
            place = sample[descriptor]
            part = watchers[place].receive()
            parts.append((place, part, time.monotonic()))  # Looked at later: others wait to be received.
        if others and drained < (time.monotonic() - start) / _AROUND_SECONDS * len(others):
            for watcher in islice(cycle(others), drained % len(others), drained % len(others) + _AT_ONCE):
                watcher.take(watcher.receive())
            drained += _AT_ONCE
    seen: list[list[float]] = [
        [place, version, at] for place, part, at in parts for version in watchers[place].take(part)
    ]
    for watcher in watchers:
        watcher.take(watcher.receive())
    return seen


if __name__ == "__main__":
    main(int(sys.argv[1]), os.environ["WATCHERS_TOKEN"], int(sys.argv[2]), Path(sys.argv[3]))
