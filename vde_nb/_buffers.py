"""Large arrays whose memory is used again.

Fresh memory is not free: the system hands it out page by page at first touch, and on a virtual
machine a 12-megabyte map can cost more in page faults than in arithmetic (measured: 8 to 45 ms
against 5 ms). So the memory of a large result goes back to a small store when the last array that
uses it is gone, and the next result of that size is made there.
"""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["empty", "release"]

_LEAST = 1 << 20  # smaller arrays are the allocator's business
_MOST_FREE = 256 << 20


class _Store:
    """Blocks of memory nobody uses, by size."""

    def __init__(self) -> None:
        # Reentrant: a collection may give a block back while this thread is taking one.
        self._lock = threading.RLock()
        self._blocks: dict[int, list[npt.NDArray[np.uint8]]] = {}
        self.bytes = 0

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        with self._lock:
            blocks = self._blocks.get(size)
            if blocks:
                self.bytes -= size
                return blocks.pop()
        return np.empty(size, np.uint8)

    def give(self, block: npt.NDArray[np.uint8]) -> None:
        with self._lock:
            if self.bytes + block.size <= _MOST_FREE:
                self._blocks.setdefault(block.size, []).append(block)
                self.bytes += block.size

    def clear(self) -> None:
        with self._lock:
            self._blocks.clear()
            self.bytes = 0


_store = _Store()


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An uninitialised array like ``numpy.empty``'s, whose memory is used again when it is gone."""
    kind = np.dtype(dtype)
    count = math.prod(shape)
    if count * kind.itemsize < _LEAST:
        return np.empty(shape, kind)
    # Whole megabytes, so that maps of nearly one size share.
    block = _store.take(-(-count * kind.itemsize // _LEAST) * _LEAST)
    # Every view of the array keeps this object alive, and nothing else does.
    lease = (ctypes.c_ubyte * block.size).from_buffer(block.data)
    weakref.finalize(lease, _store.give, block).atexit = False
    return np.frombuffer(memoryview(lease), kind, count).reshape(shape)


def release() -> None:
    """Give the memory that waits to be used again back to the system."""
    _store.clear()
