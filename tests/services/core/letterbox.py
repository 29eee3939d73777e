"""A real mail server for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Letterbox:
    """What a mail server took, and what it says to those whom it does not take mail for."""

    def __init__(self) -> None:
        self.received: list[Envelope] = []
        self.answers: dict[str, str] = {}
        self.arrived = asyncio.Event()
        self.taken: list[bool] = []
        """Of each that was received, whether it was not too large."""
        self.most: int | None = None
        """Bytes of a mail that it takes, of which it says nothing before where it has words for what is more."""
        self.too_large: str | None = None
        self.port = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.received.append(envelope)
        self.arrived.set()
        fits = self.most is None or len(envelope.content or b"") <= self.most
        self.taken.append(fits)
        if not fits:
            return self.too_large or "552 too large"
        return self.answers.get("DATA", "250 OK")

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Takes mail meanwhile, always at the same port."""
        loop = asyncio.get_running_loop()

        def conversation() -> SMTP:
            return SMTP(
                self,
                loop=loop,
                data_size_limit=None if self.too_large else self.most,
                authenticator=only_ada,
                auth_require_tls=False,
                decode_data=False,
            )

        server = await loop.create_server(conversation, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()


def only_ada(_server: object, _session: object, _envelope: object, _mechanism: str, login: object) -> AuthResult:
    known = isinstance(login, LoginPassword) and (login.login, login.password) == (b"ada", b"l@velace")
    return AuthResult(success=known, handled=known)
