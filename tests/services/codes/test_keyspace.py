"""How guessable a list of codes is."""

from collections.abc import Sequence

import pytest

from services.codes.keyspace import Keyspace


def keyspace(codes: Sequence[str]) -> Keyspace:
    found = Keyspace()
    for start in range(0, len(codes), 70):
        found.add(codes[start : start + 70])
    return found


@pytest.mark.parametrize(
    ("codes", "room"),
    [
        (["TYD-0001", "TYD-0002"], 10_000),
        (["AB", "AC"], 26),
        (["ab1", "AC2"], 260),
        (["A1", "BX"], 26 * 11),
        (["7", "12", "345"], 1_110),
        (["GALA"], 1),
    ],
)
def test_room_is_what_differs_after_the_prefix(codes: list[str], room: int) -> None:
    assert keyspace(codes).room == room


def test_serial_numbers_that_fill_their_digits_leave_too_little_room() -> None:
    assert keyspace([f"PARTNER-{number:03}" for number in range(1_000)]).is_too_small


def test_serial_numbers_in_many_more_digits_leave_enough() -> None:
    assert not keyspace([f"PARTNER-{number:05}" for number in range(1_000)]).is_too_small


def test_a_few_codes_may_be_guessable() -> None:
    assert not keyspace([f"GALA-{number}" for number in range(9)]).is_too_small
