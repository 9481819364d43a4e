"""What a model has answered before: a moved threshold asks it only about what changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import xxhash

from vde_nb.segment._embedded import Embedded
from vde_nb.segment._tasks import Task
from vde_nb.segment._views import View

__all__ = ["Seen", "view_key"]

#: Bytes of masks that are remembered, and views: most are a few hundred bytes.
_BYTES, _VIEWS = 32 * 2**20, 8192


class Seen:
    """The views a model had last, by everything they depend on; shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: OrderedDict[Hashable, View] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> View | None:
        """The view under `key`, or None."""
        with self._lock:
            if key in self._views:
                self._views.move_to_end(key)
            return self._views.get(key)

    def put(self, key: Hashable, view: View) -> None:
        """Remember a view, and forget those that were not asked for longest."""
        view.mask.flags.writeable = False
        with self._lock:
            old = self._views.pop(key, None)
            self._bytes += view.mask.nbytes - (0 if old is None else old.mask.nbytes)
            self._views[key] = view
            while len(self._views) > _VIEWS or self._bytes > _BYTES:
                _, dropped = self._views.popitem(last=False)
                self._bytes -= dropped.mask.nbytes


def view_key(embedded: Embedded, task: Task, multimask: bool | str, min_island: float) -> Hashable:
    """Everything that decides what a model finds for a task in one picture."""
    detected = task.detected
    hint: Hashable = None
    if detected is not None:
        hint = detected.box, xxhash.xxh3_128(detected.mask.tobytes()).digest()
    prompt = task.prompt
    asked = prompt.box, prompt.points, task.frame
    return embedded.key, embedded.box, asked, hint, multimask, min_island
