"""Full collections look at what is new, and now and then at everything."""

import gc
from weakref import ref

from sesame.server.garbage import EVERYTHING_SECONDS, short_collections


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_outlived_a_collection_is_left_out_of_the_next() -> None:
    with short_collections(lambda: 0.0):
        cycle = Cycle()
        gc.collect()
        known = ref(cycle)
        del cycle
        gc.collect()
        assert known() is not None


def test_what_is_new_is_collected() -> None:
    with short_collections(lambda: 0.0):
        known = ref(Cycle())
        gc.collect()
        assert known() is None


def test_now_and_then_everything_is_collected() -> None:
    now = 0.0
    with short_collections(lambda: now):
        cycle = Cycle()
        gc.collect()
        known = ref(cycle)
        del cycle
        now += EVERYTHING_SECONDS
        gc.collect()
        assert known() is None


def test_afterwards_everything_is_collected_again() -> None:
    with short_collections(lambda: 0.0):
        cycle = Cycle()
        gc.collect()
        known = ref(cycle)
        del cycle
    gc.collect()
    assert known() is None
