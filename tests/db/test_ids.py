"""Keys that open something cannot be found by who knows others (docs/domain.md, Who may do what)."""

import ast
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from db.core.ids import new_id, next_id

MANY = 4_000
RANDOM = [bit for bit in range(76) if bit not in (62, 63)]
"""The places of the 74 bits that the version, the variant and the time leave."""
SERVICES = Path(__file__).parents[2] / "src" / "services"


@pytest.fixture
def of_one_millisecond(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    moment = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: moment)
    return [new_id().int for _ in range(MANY)]


def test_a_key_tells_its_time_and_its_version() -> None:
    before = time.time_ns() // 1_000_000
    key = new_id()
    assert before <= key.int >> 80 <= time.time_ns() // 1_000_000
    assert (key.version, key.variant) == (7, "specified in RFC 4122")
    assert datetime.fromtimestamp((key.int >> 80) / 1000, UTC).year >= 2026


def test_the_keys_of_one_millisecond_share_nothing_but_their_time(of_one_millisecond: list[int]) -> None:
    assert len({key >> 76 for key in of_one_millisecond}) == 1
    assert len(set(of_one_millisecond)) == MANY
    for bit in RANDOM:
        ones = sum(key >> bit & 1 for key in of_one_millisecond)
        assert abs(ones - MANY / 2) < 6 * (MANY / 4) ** 0.5, f"bit {bit}"


def test_no_key_says_anything_of_the_next(of_one_millisecond: list[int]) -> None:
    pairs = list(pairwise(of_one_millisecond))
    grown = sum(earlier < later for earlier, later in pairs)
    # Of n random numbers in a row about half are greater than the one before, with a variance of n / 12.
    assert abs(grown - MANY / 2) < 6 * (MANY / 12) ** 0.5
    for bit in RANDOM:
        changed = sum((earlier ^ later) >> bit & 1 for earlier, later in pairs)
        assert abs(changed - MANY / 2) < 6 * (MANY / 4) ** 0.5, f"bit {bit}"


def test_keys_in_order_are_in_order() -> None:
    keys = [next_id() for _ in range(MANY)]
    assert keys == sorted(keys)


def test_baskets_orders_and_tickets_have_keys_of_the_first_kind() -> None:
    """Whoever knows one of a sale without a contact may see and change it."""
    for name in ("lifecycle", "orders"):
        tree = ast.parse((SERVICES / "baskets" / f"{name}.py").read_text(encoding="utf-8"))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert "new_id" in used
        assert "next_id" not in used
