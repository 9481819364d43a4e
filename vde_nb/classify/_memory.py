"""What was measured on a region is measured once, as long as it looks the same.

Most regions keep their outline when a threshold moves. Their measures are found again by
everything they were taken on: outline and pixels of the window, not its place. Rules are asked
anew each time, because a user's may answer differently.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import xxhash

from vde_nb.classify._region import Region
from vde_nb.classify._view import frame
from vde_nb.stages import StageCache

__all__ = ["recall", "remember"]

#: Pixels of the largest window that is looked up; hashing a larger one is no gain.
_MOST = 500_000
#: Regions that are remembered, some 4 kB each: those of the last dozen thresholds.
_REGIONS = 4096
_KEY = ("measures",)


class _Memory:
    """The measures of the regions seen last, by what they were taken on; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, tuple[tuple[str, Any], ...]] = OrderedDict()

    def get(self, key: bytes) -> tuple[tuple[str, Any], ...]:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key, ())

    def put(self, key: bytes, measured: tuple[tuple[str, Any], ...]) -> None:
        with self._lock:
            self._known[key] = measured
            while len(self._known) > _REGIONS:
                self._known.popitem(last=False)


def _memory(cache: StageCache) -> _Memory:
    memory = cache.get(_KEY)
    if memory is None:
        memory = _Memory()
        cache.put(_KEY, memory)
    assert isinstance(memory, _Memory)
    return memory


def recall(region: Region, cache: StageCache | None) -> bytes | None:
    """Give a region what `cache` has of one that looks the same; its key for :func:`remember`."""
    if cache is None:
        return None
    left, top, right, bottom, _ = frame(region.box, region.mask, region.reference.shape)
    if (right - left) * (bottom - top) > _MOST:
        return None
    x, y, w, h = region.box
    window = slice(top, bottom), slice(left, right)
    parts = (region.reference, region.current, region.levelled, region.valid, region.changed)
    shape = (w, h, x - left, y - top, right - left, bottom - top, [one is None for one in parts])
    digest = xxhash.xxh3_128(repr(shape).encode())
    digest.update(np.ascontiguousarray(region.mask).data)
    for one in parts:
        if one is not None:
            digest.update(np.ascontiguousarray(one[window]).data)
    key: bytes = digest.digest()
    region.recall(_memory(cache).get(key))
    return key


def remember(region: Region, key: bytes | None, cache: StageCache | None) -> None:
    """Keep in `cache` what was measured on a region, under the `key` that :func:`recall` gave."""
    if cache is not None and key is not None:
        _memory(cache).put(key, region.measured())
