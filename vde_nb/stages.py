"""Staged, memoised work: a moved slider recomputes only what lies downstream of it.

Every stage is a pure function. Its result is kept under a key made of the stage's name, the keys
of its inputs and its options, so a result is found again exactly when everything upstream of it
is the same. The cache is bounded in bytes, drops what was used longest ago, and may be shared by
threads.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from vde_nb._bands import tidy

__all__ = ["StageCache", "Staged", "Stages", "shared_cache", "size_of"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Staged(Generic[T]):
    """A stage's result with the key it is known by.

    Attributes
    ----------
    value
        The result.
    key
        Stands for all that it depends on; None: not to be kept.
    """

    value: T
    key: Hashable | None

    def part(self, index: int) -> Staged[Any]:
        """One item of a result that is a tuple."""
        key = None if self.key is None else (self.key, index)
        return Staged(self.value[index], key)  # type: ignore[index]


def size_of(value: Any, _seen: set[int] | None = None) -> int:
    """Bytes of the arrays in a stage's result; an array held several times counts once."""
    seen = set() if _seen is None else _seen
    if isinstance(value, np.ndarray):
        owner = value if value.base is None else value.base
        if id(owner) in seen:
            return 0
        seen.add(id(owner))
        return value.nbytes
    if isinstance(value, (list, tuple)):
        return sys.getsizeof(value) + sum(size_of(item, seen) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return 64 + sum(size_of(getattr(value, field.name), seen) for field in fields)
    return 64


def _freeze(value: Any) -> None:
    """Make the arrays of a result read-only: others may be handed the same ones."""
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, (list, tuple)):
        for item in value:
            _freeze(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            _freeze(getattr(value, field.name))


class StageCache:
    """Results of stages, bounded in bytes, least recently used first out, thread-safe.

    Parameters
    ----------
    max_bytes
        Most bytes kept; a single result larger than this is not kept at all.
    """

    def __init__(self, max_bytes: int = 768 * 2**20) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self.max_bytes = max_bytes
        _caches.add(self)

    def get(self, key: Hashable) -> Any:
        """The result kept under `key`, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a result, `value`, under `key`, dropping older ones where room is needed."""
        size = size_of(value)
        with self._lock:
            old = self._entries.pop(key, None)
            if old is not None:
                self._bytes -= old[1]
            if size > self.max_bytes:
                return
            self._entries[key] = (value, size)
            self._bytes += size
            while self._bytes > self.max_bytes:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._bytes -= dropped

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _after_fork(self) -> None:
        """In a forked child: a lock that nobody holds.

        The thread that held it in the parent does not exist here and would never let go of it.
        What it was writing may be half done, so then nothing is kept.
        """
        held, self._lock = self._lock.locked(), threading.Lock()
        if held:
            self.clear()

    @property
    def bytes_used(self) -> int:
        """Bytes kept now."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> Any:
        # A comparison may be sent to another process; what is cached here is not worth the way.
        return "shared_cache" if self is shared_cache else (StageCache, (self.max_bytes,))

    def __repr__(self) -> str:
        used, most = self._bytes / 2**20, self.max_bytes / 2**20
        return f"StageCache({len(self)} results, {used:.0f} of {most:.0f} MiB)"


def _caches_after_fork() -> None:
    for cache in list(_caches):
        cache._after_fork()


_caches: weakref.WeakSet[StageCache] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_caches_after_fork)

#: The cache :func:`vde_nb.compare` uses unless it is given another.
shared_cache = StageCache()


class Stages:
    """Runs the stages of one comparison through a cache, and takes their times.

    Parameters
    ----------
    cache
        Where results are kept; None keeps nothing.
    owner
        Results found under no owner or under this one are used; new ones are kept under it.
    progress
        Called with the name of every stage before it begins; what it raises ends the run.

    Attributes
    ----------
    timings
        Milliseconds per stage name; 0.0 for a result that was found in the cache.
    """

    def __init__(
        self,
        cache: StageCache | None,
        owner: Hashable | None = None,
        progress: Callable[[str], object] | None = None,
    ) -> None:
        self.cache = cache
        self._owner = owner
        self._progress = progress
        self.timings: dict[str, float] = {}

    def __call__(
        self,
        name: str,
        function: Callable[..., T],
        *inputs: Any,
        keep: bool = True,
        **options: Hashable,
    ) -> Staged[T]:
        """Return ``function(*inputs, **options)``, from the cache when it is there.

        Inputs may be :class:`Staged`, whose values are passed on and whose keys enter the key,
        or plain hashable values. With ``keep=False`` the result is not kept, although what
        follows from it may be: for stages that cost less than the memory of their results.
        """
        if self._progress is not None:
            self._progress(name)
        started = time.perf_counter()
        key: Hashable | None = None
        if self.cache is not None:
            keys = tuple(item.key if isinstance(item, Staged) else item for item in inputs)
            if all(item is not None for item in keys):
                key = (name, function.__qualname__, *keys, *sorted(options.items()))
                kept = self.cache.get(key) if keep else None
                if kept is None and keep and self._owner is not None:
                    kept = self.cache.get((self._owner, key))
                if kept is not None:
                    self.timings.setdefault(name, 0.0)
                    return Staged(kept, key)
        value = function(
            *(item.value if isinstance(item, Staged) else item for item in inputs), **options
        )
        if keep and key is not None and self.cache is not None:
            self.cache.put(key if self._owner is None else (self._owner, key), value)
        if keep or isinstance(value, np.ndarray):
            _freeze(value)
        tidy()
        spent = (time.perf_counter() - started) * 1000
        self.timings[name] = self.timings.get(name, 0.0) + spent
        return Staged(value, key)
