"""Memory that is used again, and never while somebody still looks at it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vde_nb import _buffers
from vde_nb._buffers import empty


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gc.collect()
    _buffers._store.clear()
    yield
    _buffers._store.clear()


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again_when_the_array_is_gone() -> None:
    first = empty((1500, 1000), np.uint8)
    where = address(first)
    del first
    second = empty((1400, 1020), np.uint8)  # nearly the size
    assert address(second) == where
    assert second.shape == (1400, 1020) and second.flags.writeable


def test_a_view_keeps_its_memory() -> None:
    first = empty((2000, 1000), np.uint8)
    first[:] = 7
    view = first[10:20].view(np.bool_)
    where = address(first)
    del first
    second = empty((2000, 1000), np.uint8)
    assert address(second) != where
    second[:] = 0
    assert (view.view(np.uint8) == 7).all()


def test_small_arrays_are_left_to_numpy() -> None:
    del (array := [empty((100, 100), np.uint8)])[0]
    assert not array and _buffers._store.bytes == 0


def test_the_store_is_bounded() -> None:
    arrays = [empty((64 << 20,), np.uint8) for _ in range(8)]
    del arrays
    gc.collect()
    assert _buffers._store.bytes <= _buffers._MOST_FREE


def test_many_threads_never_share_memory() -> None:
    def work(seed: int) -> bool:
        array = empty((1 << 20,), np.uint8)
        array[:] = seed % 251
        return bool((array == seed % 251).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
