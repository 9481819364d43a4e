"""What every network run by torch has in common: locks, precision, progress, stopping."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vde_nb._extras import need
from vde_nb._progress import report
from vde_nb.segment._backend import Arrays, Fit, Float32
from vde_nb.segment._decoder import CellDecoder
from vde_nb.segment._device import autocast_type

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["TorchBackend"]

_PATIENCE = 0.1  # seconds between two reports while another thread encodes


class TorchBackend(ABC):
    """A :class:`~vde_nb.segment._backend.Backend` whose network is a torch module.

    Encoding and decoding have a lock each, so that a click is answered while another picture is
    being encoded. Subclasses set `side`, `grid` and `preprocessing`.

    Parameters
    ----------
    weights
        Where the network was read from.
    network
        The module, in fp32 on the CPU, for inference.
    encoder
        The part of it that takes seconds.
    blocks
        The parts of `encoder` that run one after the other, between which it can be stopped.
    device, precision
        As chosen by :mod:`vde_nb.segment._device`.
    compile
        Whether to translate the encoder.
    """

    side: int
    grid: int
    preprocessing: str

    def __init__(
        self,
        weights: Weights,
        network: Any,
        encoder: Any,
        blocks: Sequence[Any],
        *,
        device: str,
        precision: str,
        compile: bool,
    ) -> None:
        self._torch = torch = need("torch", "sam", "SAM")
        self.model = weights.model
        self.weights: Weights | None = weights
        self.device = device
        self.precision = precision
        network = network.to(device).eval().requires_grad_(False)
        if device.startswith("cuda"):
            network = network.to(memory_format=torch.channels_last)
        if compile:
            encoder.compile()
        self._network = network
        # Inside a translated network a hook would run while it is translated, and never again.
        self._blocks = () if compile else tuple(blocks)
        self._encoding, self._decoding = threading.Lock(), threading.Lock()
        #: Decodes on a CPU; elsewhere, and where it is None, the network's own decoder does.
        self._cells: CellDecoder | None = None

    @abstractmethod
    def fit(self, height: int, width: int) -> Fit:
        """How a picture of `height` x `width` pixels lies in the frame."""

    @abstractmethod
    def _input(self, image: npt.NDArray[np.uint8]) -> Any:
        """The picture as the network's input, ``(1, 3, side, side)`` float32 on the device."""

    @abstractmethod
    def _encoded(self, tensor: Any) -> dict[str, Any]:
        """Run the encoder: tensors by name, the first axis always 1."""

    @abstractmethod
    def _prompted(self, boxes: Any, points: Any, labels: Any, masks: Any) -> tuple[Any, Any]:
        """Run the prompt encoder: ``(N, P, C)``, and ``(N, C, h, w)`` for earlier masks."""

    @abstractmethod
    def _decoded(
        self, loaded: Any, boxes: Any, points: Any, labels: Any, masks: Any, multimask: bool
    ) -> tuple[Any, Any]:
        """Run prompt encoder and decoder on tensors, shapes as in the protocol."""

    def encode(self, image: npt.NDArray[np.uint8], what: str = "the picture") -> dict[str, Float32]:
        """Look at a picture once; see :meth:`vde_nb.segment._backend.Backend.encode`."""
        torch = self._torch
        text = f"{self.model.title} reads {what}"
        with self._turn(text), torch.inference_mode(), self._telling(text):
            tensor = self._input(image)
            tensors = self._in_precision(tensor, autocast_type(self.precision))
            if self.precision == "fp16" and not all(t.isfinite().all() for t in tensors.values()):
                tensors = self._in_precision(tensor, None)  # beyond the 65504 of fp16
            arrays = {name: t[0].float().cpu().contiguous().numpy() for name, t in tensors.items()}
        report(text, 1.0)
        return arrays

    def _in_precision(self, tensor: Any, dtype: Any) -> dict[str, Any]:
        place = self.device.partition(":")[0]
        with nullcontext() if dtype is None else self._torch.autocast(place, dtype):
            return self._encoded(tensor)

    @contextmanager
    def _turn(self, text: str) -> Iterator[None]:
        """Wait for the encoder, telling of it, so that waiting can be stopped, too."""
        while not self._encoding.acquire(timeout=_PATIENCE):
            report(text, 0.0)
        try:
            yield
        finally:
            self._encoding.release()

    @contextmanager
    def _telling(self, text: str) -> Iterator[None]:
        """Report before each block; what the listener raises ends the encoding there."""
        handles: list[Any] = []
        try:
            for at, block in enumerate(self._blocks):
                share = at / len(self._blocks)
                handles.append(
                    block.register_forward_pre_hook(lambda *_, share=share: report(text, share))
                )
            report(text, 0.0)
            yield
        finally:
            for handle in handles:
                handle.remove()

    def load(self, arrays: Arrays) -> Any:
        """Bring kept arrays to the device; see :meth:`vde_nb.segment._backend.Backend.load`."""
        if self._cells is not None:
            return self._cells.picture(arrays)
        # A copy: torch warns of arrays that it could write to but must not.
        return {
            name: self._torch.from_numpy(np.array(array)[None]).to(self.device).float()
            for name, array in arrays.items()
        }

    def decode(
        self,
        loaded: Any,
        boxes: npt.NDArray[Any] | None,
        points: npt.NDArray[Any] | None,
        labels: npt.NDArray[Any] | None,
        masks: npt.NDArray[Any] | None,
        multimask: bool,
    ) -> tuple[Float32, Float32]:
        """Masks for prompts; see :meth:`vde_nb.segment._backend.Backend.decode`."""
        torch = self._torch

        def tensor(array: npt.NDArray[Any] | None, dtype: type = np.float32) -> Any:
            if array is None:
                return None
            return torch.from_numpy(np.array(array, dtype, order="C")).to(self.device)

        with self._decoding, torch.inference_mode():
            prompts = tensor(boxes), tensor(points), tensor(labels, np.int64), tensor(masks)
            if self._cells is None:
                logits, iou = self._decoded(loaded, *prompts, multimask)
            else:
                tokens, dense = self._prompted(*prompts)
                earlier = None if masks is None else dense
                logits, iou = self._cells(loaded, tokens, earlier, multimask)
            # Contiguous: a view of one mask would keep all four of the decoder alive.
            return logits.float().contiguous().cpu().numpy(), iou.float().contiguous().cpu().numpy()


def longest_side(height: int, width: int, side: int) -> Fit:
    """The fit of SAM 1: the longer side becomes `side`, the rest is padding.

    Sizes are rounded as the authors do, but never to nothing.

    Examples
    --------
    >>> longest_side(40, 4000, 1024)
    Fit(scale_x=0.256, scale_y=0.25, inner_w=1024, inner_h=10)
    """
    scale = side * 1.0 / max(height, width)
    inner_h, inner_w = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
    return Fit(inner_w / width, inner_h / height, inner_w, inner_h)
