"""Large arrays: memory that is used again, and a limit to how much of it there is.

Fresh memory is not free: the system hands it out page by page at first touch, and on a virtual
machine a 12-megabyte map can cost more in page faults than in arithmetic (measured: 8 to 45 ms
against 5 ms). So the memory of a large result goes back to a small store when the last array that
uses it is gone, and the next result of that size is made there.

Within :func:`limited` all large arrays together take no more main memory than was allowed; what
is beyond lies in scratch files mapped into memory, and is an array like any other.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._scratch_file import ScratchFile

__all__ = ["Budget", "budget", "empty", "limited", "release", "room", "trim", "zeros"]

_LEAST = 1 << 20  # smaller arrays are the allocator's business
_MOST_FREE = 256 << 20
#: Part of a limit that large arrays may take: the rest is for what works on them.
_SHARE = 0.65
#: Arrays smaller than this share scratch files of up to this size.
_SHARED_FILE = 64 << 20

# Of the store and of all budgets. Reentrant: a collection may give memory back while this thread
# is taking or counting some.
_lock = threading.RLock()


class _Store:
    """Blocks of memory nobody uses, by size."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[npt.NDArray[np.uint8]]] = {}
        self.bytes = 0

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        with _lock:
            blocks = self._blocks.get(size)
            if blocks:
                self.bytes -= size
                return blocks.pop()
        return np.empty(size, np.uint8)

    def give(self, block: npt.NDArray[np.uint8], most: int = _MOST_FREE) -> None:
        with _lock:
            if self.bytes + block.size <= most:
                self._blocks.setdefault(block.size, []).append(block)
                self.bytes += block.size

    def clear(self, most: int = 0) -> None:
        """Give memory back to the system, the largest blocks first, down to `most` bytes."""
        with _lock:
            for size in sorted(self._blocks, reverse=True):
                while self.bytes > most and self._blocks[size]:
                    self._blocks[size].pop()
                    self.bytes -= size
                if not self._blocks[size]:
                    del self._blocks[size]

    def forget(self) -> None:
        """Begin anew, whatever state this was left in."""
        self._blocks = {}
        self.bytes = 0


_store = _Store()


def _forget_after_fork() -> None:
    """A thread that held the lock does not live on in a forked child, and left things half done."""
    global _lock
    _lock = threading.RLock()
    _store.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


class Budget:
    """How much main memory large arrays may take together, and how much they do.

    Attributes
    ----------
    whole
        Bytes of main memory that all of the work may take.
    limit
        Most bytes of main memory that large arrays may take.
    used, mapped
        Bytes of living arrays in main memory, and in scratch files.
    open
        Whether the work that is limited goes on.
    """

    def __init__(self, whole: int) -> None:
        self.whole, self.limit = whole, int(whole * _SHARE)
        self.used = self.mapped = 0
        self.open = True
        self._files: list[weakref.ref[ScratchFile]] = []
        self._process = os.getpid()

    @property
    def held(self) -> int:
        """Bytes of main memory taken, also by what waits to be used again."""
        return self.used + _store.bytes

    def take(self, size: int) -> bool:
        """Count `size` bytes of main memory; False when they are beyond the limit."""
        with _lock:
            if self.used + size > self.limit:
                return False
            self.used += size
        return True

    def make_room(self) -> None:
        """Give back of what waits to be used again, which is memory too, what is too much."""
        _store.clear(max(0, self.limit - self.used))

    def give(self, block: npt.NDArray[np.uint8]) -> None:
        """Count the memory of an array that is gone."""
        with _lock:
            self.used -= block.size
            # As long as the work goes on, it has use for all it was allowed.
            most = max(_MOST_FREE, self.limit - self.used) if self.open else _MOST_FREE
        _store.give(block, most)

    def map(self, size: int) -> tuple[ctypes.Array[ctypes.c_ubyte], bool]:
        """`size` bytes of a scratch file, and whether they are known to be 0."""
        file, part = self._part(size)
        first, clean = part
        lease = (ctypes.c_ubyte * size).from_buffer(file.mapping, first)
        # The file lives as long as a part of it: nothing else holds it.
        weakref.finalize(lease, self._unmapped, file, first, size).atexit = False
        return lease, clean

    def _part(self, size: int) -> tuple[ScratchFile, tuple[int, bool]]:
        with _lock:
            if self._process != os.getpid():
                # A forked child shares these files with its parent, who hands out of them too.
                self._files, self._process = [], os.getpid()
            for file in self._living():
                part = file.take(size)
                if part is not None:
                    self.mapped += size
                    return file, part
            # As large as what is there already, so that there are few, and none without need.
            whole = max(size, min(_SHARED_FILE, self.mapped))
        file = ScratchFile(whole)  # takes its time: others go on meanwhile
        part = file.take(size)
        assert part is not None
        with _lock:
            self.mapped += size
            self._files = [weakref.ref(one) for one in (*self._living(), file)]
        return file, part

    def _living(self) -> list[ScratchFile]:
        return [file for one in self._files if (file := one()) is not None]

    def _unmapped(self, file: ScratchFile, first: int, size: int) -> None:
        file.give(first, size)
        with _lock:
            self.mapped -= size

    def close(self) -> None:
        """The work is done: what it left free goes back to the system."""
        self.open = False
        self.trim()
        _store.clear(_MOST_FREE)

    def trim(self) -> None:
        """Let go of the pages of all scratch files; what they hold stays."""
        with _lock:
            files = self._living()
        for file in files:
            file.give_back()


_budget: ContextVar[Budget | None] = ContextVar("vde_nb_budget", default=None)


@contextmanager
def limited(megabytes: float) -> Iterator[Budget]:
    """Keep the large arrays made in here within a part of `megabytes` (of 2^20 bytes).

    The limit holds for this thread and the package's own bands; another thread takes it along
    with ``contextvars.copy_context().run``. Within a limit, another one changes nothing.
    """
    now = _budget.get()
    if now is not None:
        yield now
        return
    made = Budget(int(megabytes * 2**20))
    made.make_room()
    token = _budget.set(made)
    try:
        yield made
    finally:
        _budget.reset(token)
        made.close()


def budget() -> Budget | None:
    """The limit that holds here; None for none."""
    return _budget.get()


def room() -> float:
    """Bytes of main memory that large arrays may still take here; infinite without a limit."""
    now = _budget.get()
    return math.inf if now is None else max(0, now.limit - now.used)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An uninitialised array like ``numpy.empty``'s, whose memory is used again when it is gone.

    Raises
    ------
    OutputError
        Beyond the limit, when the scratch folder has no room for it.
    """
    return _array(shape, dtype)[0]


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Like :func:`empty`, filled with 0."""
    made, clear = _array(shape, dtype)
    if not clear:
        made.fill(0)
    return made


def _array(shape: tuple[int, ...], dtype: npt.DTypeLike) -> tuple[npt.NDArray[Any], bool]:
    """An array, and whether it is known to be 0."""
    kind = np.dtype(dtype)
    count = math.prod(shape)
    if count * kind.itemsize < _LEAST:
        return np.empty(shape, kind), False
    # Whole megabytes, so that maps of nearly one size share.
    size = -(-count * kind.itemsize // _LEAST) * _LEAST
    now = _budget.get()
    if now is not None and not now.take(size):
        part, clear = now.map(size)
        return np.frombuffer(memoryview(part), kind, count).reshape(shape), clear
    block = _store.take(size)
    if now is not None:
        now.make_room()
    # Every view of the array keeps this object alive, and nothing else does.
    lease = (ctypes.c_ubyte * block.size).from_buffer(block.data)
    weakref.finalize(lease, (now or _store).give, block).atexit = False
    return np.frombuffer(memoryview(lease), kind, count).reshape(shape), False


def trim() -> None:
    """Let go of the pages of every array in a scratch file that was made under this limit."""
    now = _budget.get()
    if now is not None and now.mapped:
        now.trim()


def release() -> None:
    """Give the memory that waits to be used again back to the system."""
    _store.clear()
