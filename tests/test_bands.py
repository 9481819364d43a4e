"""Bands on threads: all rows once, errors told, no waiting for ever."""

from __future__ import annotations

import math
import threading
import weakref

import numpy as np
import pytest

from vde_nb import _bands
from vde_nb._bands import Scratch, for_each_band, rows_for, tidy
from vde_nb._buffers import budget, limited
from vde_nb.stages import StageCache, Staged, Stages


def test_every_row_is_worked_on_once() -> None:
    rows = np.zeros(2001, int)

    def work(first: int, end: int) -> None:
        rows[first:end] += 1

    for_each_band(work, 2001, 1000, 64)
    assert (rows == 1).all()


def test_an_error_ends_the_work_and_is_told_after_all_threads_left() -> None:
    running: set[int] = set()
    done: list[int] = []

    def work(first: int, end: int) -> None:
        running.add(first)
        if first == 64:
            running.discard(first)
            raise ValueError("band 64")
        done.append(first)
        running.discard(first)

    with pytest.raises(ValueError, match="band 64"):
        for_each_band(work, 100_000, 1000, 64)
    assert not running
    assert len(done) < 1000, "no further bands were begun"


def test_bands_within_bands_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_bands, "_workers", lambda: 2)
    count = [0]
    lock = threading.Lock()

    def inner(first: int, end: int) -> None:
        with lock:
            count[0] += 1

    def outer(first: int, end: int) -> None:
        for_each_band(inner, 1000, 1000, 100)

    threads = [
        threading.Thread(target=for_each_band, args=(outer, 1000, 1000, 100), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert count[0] == 4 * 10 * 10


def test_scratch_is_kept_per_name_and_thread() -> None:
    scratch = Scratch()
    first = scratch.get("a", (3, 4), np.uint8)
    assert scratch.get("a", (4, 3), np.uint8).base is first.base
    assert scratch.get("b", (3, 4), np.uint8).base is not first.base
    assert scratch.get("a", (3, 4), np.int32).dtype == np.int32
    others: list[object] = []
    thread = threading.Thread(target=lambda: others.append(scratch.get("a", (3, 4), np.int32).base))
    thread.start()
    thread.join()
    assert others[0] is not scratch.get("a", (3, 4), np.int32).base


def test_bands_on_threads_know_the_memory_limit() -> None:
    seen = []

    def work(first: int, end: int) -> None:
        seen.append(budget())

    with limited(100) as mine:
        for_each_band(work, 4000, 1000, 64)
    assert seen and all(one is mine for one in seen)
    seen.clear()
    for_each_band(work, 4000, 1000, 64)
    assert not any(seen), "and forget it"


def test_wide_pictures_have_lower_bands() -> None:
    assert rows_for(4000, 128) == rows_for(8192, 128) == 128
    assert all(rows_for(width, 128) % 16 == 0 for width in range(8000, 60_000, 777))
    assert rows_for(20_000, 128) * 20_000 < 1.1 * 128 * 8192
    assert rows_for(10**6, 128) > 0


def test_temporary_arrays_go_where_memory_is_short() -> None:
    scratch = Scratch()
    where = weakref.ref(scratch.get("a", (1 << 20,), np.uint8).base)
    tidy()
    with limited(1000):
        tidy()
    assert where() is not None
    with limited(1):
        tidy()
    assert where() is None
    assert scratch.get("a", (10,), np.uint8).size == 10


@pytest.mark.parametrize("threads", [1, 2])
def test_pages_are_let_go_of_every_so_many_rows(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[str] = []
    monkeypatch.setattr(_bands, "_workers", lambda: threads)
    monkeypatch.setattr(_bands, "trim", lambda: trimmed.append(threading.current_thread().name))
    for_each_band(lambda first, end: None, 70_000, 1000, 64)
    assert len(trimmed) == 4, "70 megapixels"
    trimmed.clear()
    for_each_band(lambda first, end: None, 10_000, 1000, 64)
    assert not trimmed


def test_memory_is_tidied_after_every_stage_that_was_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tidied: list[None] = []
    monkeypatch.setattr("vde_nb.stages.tidy", lambda: tidied.append(None))
    stages = Stages(StageCache())
    for expected in (1, 1):  # the second time it is found
        stages("one", math.sqrt, Staged(4.0, "four"))
        assert len(tidied) == expected
    stages("two", math.sqrt, Staged(9.0, None))
    assert len(tidied) == 2
