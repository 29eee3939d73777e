"""A partner's key that got into the wrong hands is revoked: dead on every process within a second."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from tests.gala import SECRET
from tests.graphql.transport.streams import BOTH, Watch, asked
from tests.servers import two_processes
from tests.wire import Json

from db.core.sessions import Sessions
from services.access.credentials import Credentials
from services.access.partner_keys import PartnerKeys

pytestmark = pytest.mark.processes

WITHIN = 1.0
"""Seconds after which nobody takes it any more."""


@pytest.fixture
def addresses(loaded_url: str) -> Iterator[list[str]]:
    with two_processes(loaded_url) as addresses:
        yield addresses


async def code_of(address: str, key: str) -> str | None:
    """The code of the error by which a server answers to this key, None where it takes it."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"{address}/graphql", json={"query": "{ viewer { audience } }"}, headers={"Authorization": f"Bearer {key}"}
        )
    errors = answer.json().get("errors")
    return None if errors is None else str(errors[0]["extensions"]["code"])


async def ended(events: Json) -> Json:
    """The last result before the end."""
    last = None
    async for event in events:
        if event is None:
            return last
        last = event
    return last


@pytest.mark.parametrize("watch", BOTH)
async def test_a_revoked_key_is_dead_on_every_process_and_what_it_watches_ends(
    addresses: list[str], loaded: Sessions, watch: Watch
) -> None:
    credentials, keys = Credentials(loaded, SECRET), PartnerKeys(loaded, "theatre", "command line:ada")
    lost, kept = [await credentials.partner_key("theatre", "SECUTIX", "TYD") for _ in range(2)]
    operation = asked("RedemptionCounts")
    async with (
        watch(addresses[0], lost, operation) as first,
        watch(addresses[1], lost, operation) as second,
        watch(addresses[1], kept, operation) as other,
    ):
        for events in (first, second, other):
            assert "errors" not in await anext(events)
        await keys.revoke((await keys.all())[0].id, datetime.now(UTC))
        began = time.monotonic()
        assert [await code_of(address, lost) for address in addresses] == ["UNAUTHENTICATED"] * 2
        for result in await asyncio.gather(ended(first), ended(second)):
            assert result["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        # Twice the time, for the machine may be busy with other tests.
        assert time.monotonic() - began < 2 * WITHIN
        assert [await code_of(address, kept) for address in addresses] == [None] * 2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ended(other), 2 * WITHIN)
