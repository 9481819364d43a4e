"""Row bands: work on a large picture in pieces that fit the processor's cache.

A band's temporary arrays stay in cache and are reused for the next band, so a 12-megapixel
picture costs arithmetic instead of page faults; and bands run on a small thread pool, because
OpenCV, NumPy and the compiled kernel all release the interpreter lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._buffers import budget, trim

__all__ = ["Scratch", "for_each_band", "rows_for", "tidy", "use_threads"]

#: Below this many pixels handing work to a thread costs more than it gains.
_WORTH_THREADS = 400_000
#: Pixels of bands after which the pages of arrays in scratch files are let go of.
_TRIM_EVERY = 16_000_000
#: A picture wider than this has bands of fewer rows.
_WIDE = 8192
#: Temporary arrays are kept until arrays take more than this part of the memory allowed.
_SHORT = 0.75
_most: int | None = None


def use_threads(count: int | None) -> None:
    """Compute with so many threads in this process; None: as there are processors, up to 8."""
    global _most
    _most = count


def _workers() -> int:
    if _most is not None:
        return _most
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not tell
        available = os.cpu_count() or 1
    return min(available, 8)


class _Pool:
    """The package's threads: started at first use, started anew in a forked child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._executor = None

    def get(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_workers(), thread_name_prefix="vde-nb")
            return self._executor


_pool = _Pool()
_inside = threading.local()


def rows_for(width: int, rows: int) -> int:
    """Rows of a band: `rows` up to a width of 8192 pixels, fewer beyond, a multiple of 16."""
    return rows if width <= _WIDE else max(16, rows * _WIDE // width // 16 * 16)


def for_each_band(work: Callable[[int, int], Any], height: int, width: int, rows: int) -> None:
    """Call ``work(first, end)`` for every band of `rows` rows of a `height` x `width` picture.

    Bands run at once on several threads when the picture is large enough for that to pay, so
    `work` must write to nothing but its own rows. When `work` raises, no further band is begun,
    and the error is raised once all threads have left. Called from within `work`, the bands run
    one after the other: a thread that waits for its own pool would wait for ever.
    """
    spans = [(first, min(first + rows, height)) for first in range(0, height, rows)]
    small = len(spans) < 2 or height * width < _WORTH_THREADS or _workers() < 2
    every = max(1, _TRIM_EVERY // (rows * width))
    if small or getattr(_inside, "band", False):
        for number, (first, end) in enumerate(spans, 1):
            work(first, end)
            if number % every == 0:
                trim()
        return
    # Each thread takes the next band when it is free: bands need not cost the same.
    remaining = iter(enumerate(spans, 1))
    lock = threading.Lock()

    def run() -> None:
        _inside.band = True
        try:
            while True:
                with lock:
                    number, span = next(remaining, (0, None))
                if span is None:
                    return
                work(*span)
                if number % every == 0:
                    trim()
        except BaseException:
            with lock:
                for _ in remaining:  # leaves nothing for the others to begin
                    pass
            raise
        finally:
            _inside.band = False

    executor = _pool.get()
    helpers = min(_workers(), len(spans)) - 1
    # A thread of the pool knows of no memory limit but the one it is handed.
    futures = [executor.submit(copy_context().run, run) for _ in range(helpers)]
    try:
        run()  # the calling thread works too
    finally:
        started = [future for future in futures if not future.cancel()]
        wait(started)
    for future in started:
        future.result()


class _Named:
    """The temporary arrays of one thread."""

    def __init__(self) -> None:
        self.arrays: dict[str, npt.NDArray[Any]] = {}


class _Everybody:
    """The temporary arrays of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakSet[_Named] = weakref.WeakSet()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()

    def add(self, one: _Named) -> None:
        with self._lock:
            self._known.add(one)

    def size(self) -> int:
        with self._lock:
            return sum(array.nbytes for one in self._known for array in list(one.arrays.values()))

    def clear(self) -> None:
        with self._lock:
            for one in self._known:
                one.arrays = {}  # who is at work with some has them still


_everybody = _Everybody()


class Scratch(threading.local):
    """Named temporary arrays, one set per thread, kept from call to call."""

    def __init__(self) -> None:
        self._mine = _Named()
        _everybody.add(self._mine)

    def get(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an uninitialised array; its contents last until the next call with `name`."""
        size = int(np.prod(shape))
        kind = np.dtype(dtype)
        arrays = self._mine.arrays
        have = arrays.get(name)
        if have is None or have.dtype != kind or have.size < size:
            have = arrays[name] = np.empty(size, kind)
        return have[:size].reshape(shape)


def tidy() -> None:
    """Between two stages: let go of what is not needed just now, where memory is short."""
    trim()
    now = budget()
    if now is not None and now.held + _everybody.size() > _SHORT * now.whole:
        _everybody.clear()
