"""Memory that is used again, never while somebody still looks at it, and not beyond a limit."""

from __future__ import annotations

import contextvars
import errno
import gc
import mmap
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vde_nb import _bands, _buffers
from vde_nb._buffers import empty, limited, room, trim, zeros
from vde_nb._scratch_file import ScratchFile
from vde_nb.errors import OutputError


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


def mapped(array: np.ndarray) -> bool:
    """Whether an array lies in a scratch file."""
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, memoryview):
        return False
    held = getattr(owner.obj, "_objects", None) or {}
    return any(isinstance(one.obj, mmap.mmap) for one in held.values())


def test_arrays_beyond_the_limit_lie_in_files_and_are_arrays_like_any_other() -> None:
    with limited(8) as budget:  # of which six are for arrays
        first, second = empty((5 << 20,), np.uint8), empty((1000, 1000), np.float32)
        second[:] = 2.5
        assert not mapped(first) and mapped(second)
        assert (second.sum(), second.flags.writeable) == (2.5e6, True)
        assert (pickle.loads(pickle.dumps(second)) == second).all()
        assert budget.used <= budget.limit and budget.mapped >= second.nbytes
    assert second[999, 999] == 2.5, "a result may outlive the limit"


def test_without_a_limit_everything_is_in_memory() -> None:
    assert not mapped(empty((3000, 3000), np.uint8))
    assert room() == float("inf")


def test_pages_given_back_keep_what_they_hold() -> None:
    with limited(1):
        array = empty((3000, 3000), np.uint8)
        array[:] = np.arange(3000, dtype=np.uint16)[:, None] % 251
        trim()
        assert (array[:, 7] == np.arange(3000) % 251).all()


def test_memory_is_counted_back_when_the_array_is_gone() -> None:
    with limited(64) as budget:
        for _ in range(30):
            array = empty((20 << 20,), np.uint8)
            assert not mapped(array)
            del array
        view = empty((40 << 20,), np.uint8)[5:9]
        assert mapped(empty((20 << 20,), np.uint8)), "the view holds all of it"
        del view
        gc.collect()
        assert (budget.used, budget.mapped) == (0, 0)
        assert not mapped(empty((40 << 20,), np.uint8))


def test_free_memory_counts_too() -> None:
    with limited(64) as budget:
        arrays = [empty((size << 20,), np.uint8) for size in (9, 10, 11, 12)]
        del arrays
        kept = empty((40 << 20,), np.uint8)
        assert not mapped(kept)
        assert budget.held <= budget.limit


def test_zeros_are_zero_wherever_they_lie() -> None:
    dirty = empty((2 << 20,), np.uint8)
    dirty[:] = 9
    del dirty
    assert not zeros((2 << 20,), np.uint8).any()
    assert not zeros((10,), np.uint8).any()
    with limited(1):
        there = zeros((2 << 20,), np.uint8)
        assert mapped(there) and not there.any()


def test_the_outermost_limit_holds_and_other_threads_have_none() -> None:
    with limited(1) as outer, limited(1000) as inner:
        assert inner is outer
        with ThreadPoolExecutor(1) as pool:
            assert not mapped(pool.submit(empty, (2 << 20,), np.uint8).result())
            taken_along = contextvars.copy_context().run
            assert mapped(pool.submit(taken_along, empty, (2 << 20,), np.uint8).result())


def test_a_scratch_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path))
    with limited(1):
        assert mapped(empty((2 << 20,), np.uint8))
        if os.name == "posix":
            assert not list(tmp_path.iterdir())
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with limited(1) as budget, pytest.raises(OutputError, match="full") as told:
        empty((3_000_000,), np.uint8)
    assert str(tmp_path) in str(told.value) and "4 MB" in str(told.value)
    assert "VDE_NB_SCRATCH" in str(told.value)
    assert budget.mapped == 0


def test_a_missing_scratch_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path / "gone"))
    with limited(1), pytest.raises(OutputError, match="gone"):
        empty((2 << 20,), np.uint8)


def test_systems_that_cannot_reserve_look_at_the_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path))
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with limited(1):
        array = empty((2 << 20,), np.uint8)
        array[:] = 3
        assert mapped(array) and int(array.sum()) == 3 * (2 << 20)
        with pytest.raises(OutputError, match="full"):
            empty((1 << 56,), np.uint8)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@needs_proc
def test_many_arrays_share_few_files() -> None:
    before = descriptors()
    with limited(1):
        arrays = [empty((1100, 1000), np.uint8) for _ in range(300)]
        for number, array in enumerate(arrays):
            array[:] = number % 251
        assert descriptors() - before < 25
        trim()
    assert all((array == number % 251).all() for number, array in enumerate(arrays))
    del arrays, array
    gc.collect()
    assert descriptors() == before, "the files go with the last array in them"


def test_a_part_of_a_file_is_used_again_and_is_zero_where_that_is_asked_for() -> None:
    with limited(1) as budget:
        arrays = [empty((1 << 20,), np.uint8) for _ in range(8)]
        for array in arrays:
            array[:] = 9
        places = {address(array) for array in arrays[4:6]}
        kept = arrays[:4] + arrays[6:]
        del arrays, array
        again = zeros((2 << 20,), np.uint8)
        assert address(again) in places, "two that touch are one part"
        assert not again.any()
        assert all((one == 9).all() for one in kept)
        assert budget.mapped == 8 << 20


def test_parts_of_a_file_never_overlap_whatever_the_order() -> None:
    rng = np.random.default_rng(0)
    file = ScratchFile(1 << 16)
    used: dict[int, int] = {}
    for _ in range(2000):
        if used and rng.random() < 0.5:
            first = list(used)[int(rng.integers(len(used)))]
            file.give(first, used.pop(first))
            continue
        size = int(rng.integers(1, 9000))
        part = file.take(size)
        if part is None:
            continue
        first, clean = part
        assert 0 <= first <= (1 << 16) - size
        assert all(first + size <= one or one + length <= first for one, length in used.items())
        if clean:
            assert not any(file.mapping[first : first + size])
        file.mapping[first : first + size] = b"x" * size
        used[first] = size
    for first, size in used.items():
        file.give(first, size)
    assert file.take(1 << 16) == (0, False), "nothing was lost"


def test_threads_take_and_give_parts_of_one_file() -> None:
    def work(seed: int) -> bool:
        array = empty((1 << 20,), np.uint8)
        array[:] = seed % 251
        return bool((array == seed % 251).all())

    with limited(1) as budget:
        first = empty((1 << 20,), np.uint8)
        with ThreadPoolExecutor(8) as pool:
            runs = [pool.submit(contextvars.copy_context().run, work, i) for i in range(200)]
        assert all(run.result() for run in runs)
        del runs
        gc.collect()
        assert mapped(first) and budget.mapped == 1 << 20


def test_too_many_open_files_is_not_told_as_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path))
    monkeypatch.setattr("tempfile.TemporaryFile", none_left)
    with limited(1), pytest.raises(OutputError, match="ulimit -n") as told:
        empty((2 << 20,), np.uint8)
    assert "Too many open files" in str(told.value) and "space" not in str(told.value)


@pytest.mark.skipif(os.name != "posix", reason="others know no folders of users")
def test_a_home_folder_nobody_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VDE_NB_SCRATCH", "~nobody-of-this-name/x")
    with limited(1), pytest.raises(OutputError, match=r"VDE_NB_SCRATCH.*~nobody-of-this-name/x"):
        empty((2 << 20,), np.uint8)


def ends_well(child: int) -> bool:
    """Whether a forked child ends by itself, without an error."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("which", ["arrays", "temporary arrays"])
def test_a_fork_while_another_thread_holds_a_lock_can_work_on(which: str) -> None:
    lock = _buffers._lock if which == "arrays" else _bands._everybody._lock
    taken, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    child = os.fork()
    if child == 0:
        try:
            with limited(1):
                empty((2 << 20,), np.uint8)[:] = 1
                _bands.Scratch().get("a", (5,), np.uint8)
                _bands.tidy()
            os._exit(0)
        finally:
            os._exit(1)
    try:
        assert ends_well(child)
    finally:
        leave.set()
        thread.join()


@needs_fork
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_to_files_of_its_own() -> None:
    with limited(1):
        arrays = [empty((1 << 20,), np.uint8) for _ in range(5)]  # and room for three more
        child = os.fork()
        if child == 0:
            try:
                empty((1 << 20,), np.uint8)[:] = 7
                os._exit(0)
            finally:
                os._exit(1)
        mine = zeros((1 << 20,), np.uint8)
        assert ends_well(child)
        assert mapped(mine) and not mine.any()
    assert len(arrays) == 5
