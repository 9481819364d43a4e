"""Decoding in the memory there is: smaller chunks when it runs out, at last on the CPU."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from vde_nb.errors import WeightsError
from vde_nb.segment._backend import open_backend
from vde_nb.segment._batches import Batch
from vde_nb.segment._device import chunk_of, out_of_memory
from vde_nb.segment._embedded import Embedded, size_of

if TYPE_CHECKING:
    from vde_nb.segment._backend import Backend

__all__ = ["LOADED_BYTES", "Decoding", "Places", "drop_oldest"]

Float32 = npt.NDArray[np.float32]
V = TypeVar("V")

#: Bytes of encodings that stay on a device, so that the next prompt need not move them there.
LOADED_BYTES = 256 * 2**20


class Places:
    """A model on its device and, once needed, on the CPU; and the encodings brought there.

    Parameters
    ----------
    backend
        On its device.
    open_spare
        Opens the same model on the CPU; by default from the same weights.
    """

    def __init__(self, backend: Backend, open_spare: Callable[[], Backend] | None = None) -> None:
        self.backend = backend
        self._open_spare = open_spare or self._reopen
        self._spare: Backend | None = None
        self._opening, self._lock = threading.Lock(), threading.Lock()
        self._loaded: OrderedDict[tuple[str, bool], tuple[Any, int]] = OrderedDict()

    def _reopen(self) -> Backend:
        weights = self.backend.weights
        if weights is None:
            raise WeightsError(f"{self.backend.model.title} has no weights to open on the CPU.")
        return open_backend(weights, device="cpu", precision="fp32")

    def spare(self) -> Backend:
        """The model on the CPU, opened when it is first needed."""
        with self._opening:
            if self._spare is None:
                self._spare = self._open_spare()
            return self._spare

    def loaded(self, embedded: Embedded, on_cpu: bool) -> Any:
        """An encoding, ready for the decoder there; brought there once."""
        key = embedded.key, on_cpu
        with self._lock:
            found = self._loaded.get(key)
            if found is not None:
                self._loaded.move_to_end(key)
                return found[0]
        loaded = (self.spare() if on_cpu else self.backend).load(embedded.arrays)
        with self._lock:
            self._loaded[key] = loaded, 2 * size_of(embedded.arrays)  # float32 there
            drop_oldest(self._loaded, LOADED_BYTES, lambda entry: entry[1])
        return loaded

    def make_room(self) -> None:
        """Let go of all encodings, and of what torch holds on to without using it."""
        with self._lock:
            self._loaded.clear()
        torch = sys.modules.get("torch")
        device = self.backend.device
        if torch is None or device == "cpu":
            return
        (torch.mps if device == "mps" else torch.cuda).empty_cache()


class Decoding:
    """The decoding of one request.

    Parameters
    ----------
    places
        Where it may run.
    embedded
        The picture.
    refine
        So many times the best mask goes back in.
    chunk
        Prompts at once; None: by device and free memory.
    notes
        What happened is added here, in words.
    """

    def __init__(
        self,
        places: Places,
        embedded: Embedded,
        refine: int,
        chunk: int | None,
        notes: list[str] | None,
    ) -> None:
        self._places, self._embedded, self._refine = places, embedded, refine
        self._notes = [] if notes is None else notes
        self._on_cpu = False
        backend = places.backend
        self.chunk = chunk or chunk_of(backend.device, backend.grid)

    def decode(self, asked: Batch, count: int, multimask: bool) -> tuple[Float32, Float32] | None:
        """Logits ``(count, C, g, g)`` and predicted IoU ``(count, C)``.

        None when there was no memory for it, and trying again with the new :attr:`chunk` may do.
        """
        backend = self._places.spare() if self._on_cpu else self._places.backend
        try:
            loaded = self._places.loaded(self._embedded, self._on_cpu)
            logits, iou = backend.decode(loaded, *asked, multimask)
            for _ in range(self._refine):
                best = np.argmax(np.nan_to_num(iou, nan=-np.inf), axis=1)
                masks = logits[np.arange(len(logits)), best][:, None]
                logits, iou = backend.decode(loaded, *asked._replace(masks=masks), False)
            return logits, iou
        except Exception as error:
            if not out_of_memory(error) or (count == 1 and backend.device == "cpu"):
                raise
        # Outside of the handler, so that what the traceback holds on the device is free.
        title, device = backend.model.title, backend.device
        self._places.make_room()
        if count > 1:
            self.chunk = count // 2
            note = f"{title} found little memory on {device} and drew fewer outlines at once."
        else:
            self._on_cpu = True
            self.chunk = chunk_of("cpu")
            note = f"{title} found no memory on {device}: the CPU drew the outlines."
        if note not in self._notes:
            self._notes.append(note)
        return None


def drop_oldest(entries: OrderedDict[Any, V], limit: int, size: Callable[[V], int]) -> None:
    """Drop what was used longest ago beyond `limit` bytes; the newest stays, whatever its size."""
    total = sum(map(size, entries.values()))
    while total > limit and len(entries) > 1:
        total -= size(entries.popitem(last=False)[1])
