"""Row bands: work on a large picture in pieces that fit the processor's cache.

A band's temporary arrays stay in cache and are reused for the next band, so a 12-megapixel
picture costs arithmetic instead of page faults; and bands run on a small thread pool, because
OpenCV, NumPy and the compiled kernel all release the interpreter lock.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Scratch", "for_each_band"]

#: Below this many pixels handing work to a thread costs more than it gains.
_WORTH_THREADS = 400_000


def _workers() -> int:
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


def for_each_band(work: Callable[[int, int], Any], height: int, width: int, rows: int) -> None:
    """Call ``work(first, end)`` for every band of `rows` rows of a `height` x `width` picture.

    Bands run at once on several threads when the picture is large enough for that to pay, so
    `work` must write to nothing but its own rows. When `work` raises, no further band is begun,
    and the error is raised once all threads have left. Called from within `work`, the bands run
    one after the other: a thread that waits for its own pool would wait for ever.
    """
    spans = [(first, min(first + rows, height)) for first in range(0, height, rows)]
    small = len(spans) < 2 or height * width < _WORTH_THREADS or _workers() < 2
    if small or getattr(_inside, "band", False):
        for first, end in spans:
            work(first, end)
        return
    # Each thread takes the next band when it is free: bands need not cost the same.
    remaining = iter(spans)
    lock = threading.Lock()

    def run() -> None:
        _inside.band = True
        try:
            while True:
                with lock:
                    span = next(remaining, None)
                if span is None:
                    return
                work(*span)
        except BaseException:
            with lock:
                for _ in remaining:  # leaves nothing for the others to begin
                    pass
            raise
        finally:
            _inside.band = False

    executor = _pool.get()
    futures = [executor.submit(run) for _ in range(min(_workers(), len(spans)) - 1)]
    try:
        run()  # the calling thread works too
    finally:
        started = [future for future in futures if not future.cancel()]
        wait(started)
    for future in started:
        future.result()


class Scratch(threading.local):
    """Named temporary arrays, one set per thread, kept from call to call."""

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an uninitialised array; its contents last until the next call with `name`."""
        size = int(np.prod(shape))
        kind = np.dtype(dtype)
        have = self._arrays.get(name)
        if have is None or have.dtype != kind or have.size < size:
            have = self._arrays[name] = np.empty(size, kind)
        return have[:size].reshape(shape)
