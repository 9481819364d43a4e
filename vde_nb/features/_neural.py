"""Embeddings of pictures by a trained model: tiled, kept, and on the CPU where there is no room."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._progress import report, shown_when_long
from vde_nb.errors import SettingError
from vde_nb.features._network import VitNetwork
from vde_nb.features._tiles import PARTS, Plan, affordable, enlarged, plan
from vde_nb.features.base import PatchFeatures
from vde_nb.segment._device import out_of_memory
from vde_nb.segment._embedded import rounded
from vde_nb.segment.embeddings import EmbeddingCache, embedding_key, pixels_key

__all__ = ["NeuralFeatures"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Of what is computed here; raise it when the same weights give other numbers.
_VERSION = 1
_BATCH = 16  # tiles at once on a GPU; fewer where its memory does not hold them


class NeuralFeatures:
    """A model as :class:`~vde_nb.features.base.Extractor`.

    Parameters
    ----------
    name, title
        What it is chosen by, and what people see.
    network
        The model on its device.
    spare
        Opens the same model on the CPU, for when the device has no memory left.
    weights
        Digest of the weights, with the name of the architecture.
    layers
        Whose outputs are averaged.
    zoom
        Factor by which pictures are enlarged, 0: automatic.
    cache
        Where embeddings are kept; None keeps none.
    remark
        What people are to know about how it was opened, in words.
    """

    def __init__(
        self,
        name: str,
        title: str,
        network: VitNetwork,
        *,
        spare: Callable[[], VitNetwork],
        weights: str,
        layers: str,
        zoom: float,
        cache: EmbeddingCache | None,
        remark: str = "",
    ) -> None:
        if not 0 <= zoom <= 8:
            raise SettingError(f"feature_zoom is {zoom!r}: it must lie in 0 to 8.")
        self.name, self.title = name, title
        self.layers, self.zoom = layers, float(zoom)
        self._network, self._spare, self._cache = network, spare, cache
        self._most = affordable(network.parameters)
        self._weights = weights
        #: How a picture becomes the input and the output becomes embeddings.
        self._way = f"{layers}-zoom-{zoom:g}-{self._most}-{PARTS}-v{_VERSION}"
        self.identity = f"{weights} {self._way} {network.precision}"
        self._lock = threading.Lock()
        self._notes: dict[str, None] = dict.fromkeys([remark] if remark else [])

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the answers so far, each thing once, in words."""
        with self._lock:
            return tuple(self._notes)

    def _say(self, text: str) -> None:
        if text:
            with self._lock:
                self._notes[text] = None

    def __call__(self, image: UInt8, what: str = "the picture") -> PatchFeatures:
        """Describe a picture, or remember having described it.

        Parameters
        ----------
        image
            ``(H, W, 3)`` RGB uint8.
        what
            What it is, for people who watch the progress.

        Returns
        -------
        PatchFeatures
            The same whether they were kept or not: rounded to float16, as they are kept.

        Raises
        ------
        SettingError
            `image` is no such array, or the zoom asks for too many tiles.
        WeightsError
            The model computes no finite numbers.

        Notes
        -----
        Tells :func:`vde_nb._progress.report`, whose listener may raise to stop it: then nothing
        is kept.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise SettingError(
                f"A model looks at (H, W, 3) uint8 pictures, not at {image.shape} {image.dtype}."
            )
        height, width = image.shape[:2]
        made = plan(height, width, self._network.patch, self.zoom, self._most)
        pixels = pixels_key(image)
        values = self._kept(pixels, self._network)
        if values is None:
            with shown_when_long():
                values = self._computed(image, made, what, pixels)
        return PatchFeatures(values, made.cell, (height, width), True)

    def _key(self, pixels: str, network: VitNetwork) -> str:
        architecture, _, digest = self._weights.partition(" ")
        return embedding_key(pixels, architecture, digest, self._way, network.precision)

    def _kept(self, pixels: str, network: VitNetwork) -> Float32 | None:
        found = self._cache.get(self._key(pixels, network)) if self._cache else None
        if self._cache:
            self._say(self._cache.note())
        return None if found is None else _exact(found["values"])

    def _computed(self, image: UInt8, made: Plan, what: str, pixels: str) -> Float32:
        text = f"{self.title} describes {what}"
        network = self._network
        with network.turn(text):
            kept = self._kept(pixels, network)  # another thread may have done it meanwhile
            if kept is not None:
                return kept
            values = self._tiled(network, image, made, text)
        if values is None:
            # Outside of the handler, so that what the traceback holds on the device is free.
            self._say(
                f"{self.title} finds no memory on {network.device}: the CPU described {what}, "
                "which is slower."
            )
            network = self._spare()
            kept = self._kept(pixels, network)
            if kept is not None:
                return kept
            with network.turn(text):
                values = self._tiled(network, image, made, text)
        if values is None:
            raise MemoryError(f"There is not enough memory to describe {what} with {self.title}.")
        report(text, 1.0)
        arrays = rounded({"values": values}) or {"values": values}
        if self._cache:
            self._cache.put(self._key(pixels, network), arrays, model=self.title)
            self._say(self._cache.note())
        return _exact(arrays["values"])

    def _tiled(self, network: VitNetwork, image: UInt8, made: Plan, text: str) -> Float32 | None:
        """Embeddings of the whole grid; None when there is no memory for a single tile."""
        patch, total = network.patch, len(made.tiles)
        picture = enlarged(image, made, patch)
        batch = 1 if network.device == "cpu" else _BATCH
        values: Float32 | None = None
        left = list(made.tiles)
        while left:
            done = total - len(left)
            now = left[:batch]

            def tell(share: float, done: int = done, count: int = len(now)) -> None:
                report(text, (done + share * count) / total)

            shown = np.stack(
                [
                    picture[
                        tile.rows[0] * patch : tile.rows[1] * patch,
                        tile.columns[0] * patch : tile.columns[1] * patch,
                    ]
                    for tile in now
                ]
            )
            try:
                found = network.describe(shown, tell)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                if batch == 1:
                    return None
                batch = max(1, len(now) // 2)
                continue
            if values is None:
                values = np.empty((*made.grid, found.shape[-1]), np.float32)
            for tile, seen in zip(now, found, strict=True):
                (top, bottom), (left_, right) = tile.used_rows, tile.used_columns
                y, x = tile.rows[0], tile.columns[0]
                values[top:bottom, left_:right] = seen[top - y : bottom - y, left_ - x : right - x]
            left = left[len(now) :]
        return values

    def __repr__(self) -> str:
        network = self._network
        return f"NeuralFeatures({self.title}, {self.layers}, {network.device}, {network.precision})"


def _exact(values: npt.NDArray[Any]) -> Float32:
    return np.ascontiguousarray(values, np.float32)
