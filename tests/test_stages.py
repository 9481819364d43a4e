"""The cache of stages: bounded, thread-safe, keyed by everything upstream."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vde_nb.stages import StageCache, Staged, Stages, size_of


def test_a_result_is_found_again_only_for_the_same_inputs_and_options() -> None:
    calls: list[tuple[int, int]] = []

    def work(value: int, factor: int = 1) -> int:
        calls.append((value, factor))
        return value * factor

    stage = Stages(StageCache())
    first = Staged(3, "three")
    assert stage("work", work, first).value == 3
    assert stage("work", work, first).value == 3
    assert calls == [(3, 1)]
    assert stage("work", work, first, factor=2).value == 6
    assert stage("work", work, Staged(4, "four")).value == 4
    assert stage("other", work, first).value == 3
    assert calls == [(3, 1), (3, 2), (4, 1), (3, 1)]


def test_an_input_without_a_key_is_never_kept_nor_what_follows_it() -> None:
    cache = StageCache()
    stage = Stages(cache)
    result = stage("work", lambda value: value, Staged(1, None))
    stage("next", lambda value: value, result)
    assert len(cache) == 0 and result.key is None


def test_without_a_cache_everything_is_computed_and_timed() -> None:
    stage = Stages(None)
    assert stage("work", lambda value: value + 1, 1).value == 2
    assert stage.timings["work"] >= 0


def test_the_cache_is_bounded_in_bytes_and_drops_the_oldest() -> None:
    cache = StageCache(max_bytes=1000)
    for index in range(5):
        cache.put(index, np.zeros(300, np.uint8))
        cache.get(0)  # stays in use
    assert cache.bytes_used <= 1000
    assert cache.get(0) is not None and cache.get(1) is None and cache.get(4) is not None


def test_what_is_larger_than_the_cache_is_not_kept_and_drops_nothing() -> None:
    cache = StageCache(max_bytes=1000)
    cache.put("small", np.zeros(100, np.uint8))
    cache.put("large", np.zeros(2000, np.uint8))
    assert cache.get("large") is None and cache.get("small") is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60))
def test_the_count_of_bytes_never_drifts(puts: list[tuple[int, int]]) -> None:
    cache = StageCache(max_bytes=1000)
    for key, size in puts:
        cache.put(key, np.zeros(size, np.uint8))
        kept = [cache.get(k) for k in range(10)]
        assert cache.bytes_used == sum(one.nbytes for one in kept if one is not None) <= 1000
    cache.clear()
    assert (len(cache), cache.bytes_used) == (0, 0)


def test_what_is_not_worth_keeping_is_not_kept_but_what_follows_is() -> None:
    cache = StageCache()
    stage = Stages(cache)
    for _ in range(2):
        cheap = stage("cheap", lambda value: value + 1, Staged(1, "one"), keep=False)
        stage("dear", lambda value: value + 1, cheap)
    assert len(cache) == 1 and cheap.value == 2


def test_an_array_held_many_times_counts_once() -> None:
    frame = np.zeros(1000, np.uint8)
    assert 1000 <= size_of([frame, frame[:500], (frame, frame)]) < 1500


def test_eight_threads_on_one_cache() -> None:
    cache = StageCache(max_bytes=50_000)

    def work(seed: int) -> np.ndarray:
        return np.full(1000, seed % 20, np.int64)

    def run(seed: int) -> bool:
        stage = Stages(cache)
        return bool((stage("work", work, seed % 20).value == seed % 20).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(2000)))
    assert cache.bytes_used <= 50_000


# Forks

#: Python 3.12 and later warn of every fork of a process with threads.
quietly = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
here = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def _in_a_child(cache: StageCache) -> int:
    """Use the cache in a forked child; its exit status: how many results it found there."""
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # a child that hangs is ended by this, and its status is no exit
        status = 99
        try:
            kept = len(cache)
            cache.put("new", np.zeros(3))
            status = kept if cache.get("new") is not None else 98
        finally:
            os._exit(status)  # whatever happens: no second run of the tests goes on in the child
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@here
@quietly
def test_a_child_forked_while_the_cache_is_in_use_does_not_hang() -> None:
    cache = StageCache()
    cache.put("old", np.zeros(3))
    with cache._lock:
        found = _in_a_child(cache)
    assert found == 0, "the child keeps nothing that may be half written, and goes on"
    assert cache.get("old") is not None, "the parent keeps what it has"


@here
@quietly
def test_a_child_forked_in_quiet_has_the_results_of_its_parent() -> None:
    cache = StageCache()
    cache.put("old", np.zeros(3))
    assert _in_a_child(cache) == 1
