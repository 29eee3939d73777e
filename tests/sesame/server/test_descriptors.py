"""As many connections as there are descriptors for, said in one sentence."""

import resource

import pytest

from sesame.errors import CommandError
from sesame.server.descriptors import Places, places, raised, shortage
from sesame.settings import Settings


def test_with_many_descriptors_the_settings_hold() -> None:
    settings = Settings()
    assert places(settings, 20_000) == Places(2_000, 12_000, 20_000 - 64 - 10)
    assert shortage(settings, 20_000) is None


def test_with_few_the_connections_are_fewer_and_room_is_left_to_say_so() -> None:
    settings = Settings()
    found = places(settings, 1024)
    assert found.http + found.lasting < found.in_all * 0.81
    assert found.in_all + settings.pool_size < 1024
    told = shortage(settings, 1024)
    assert told is not None
    assert f"takes {found.http} HTTP connections and {found.lasting} WebSockets" in told
    assert "ulimit -n" in told


def test_with_hardly_any_it_does_not_start_and_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="ulimit -n") as refused:
        places(Settings(), 120)
    assert len(refused.value.lines) == 1


def test_the_limit_of_this_process_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        found = raised()
        assert found > 512 or hard <= 512
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == found
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
