"""What a promptable model must be able to do, whichever library runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vde_nb.errors import SettingError
from vde_nb.segment._device import pick_device, pick_precision

if TYPE_CHECKING:
    from vde_nb.segment.models import Model
    from vde_nb.segment.weights import Weights

__all__ = ["Arrays", "Backend", "Fit", "open_backend"]

Float32 = npt.NDArray[np.float32]
#: What an encoder leaves behind, by name.
Arrays: TypeAlias = "Mapping[str, npt.NDArray[Any]]"


@dataclass(frozen=True)
class Fit:
    """How a picture lies in the square frame of a model, at its top left.

    The convention of coordinates is that of the models' authors, who call pixel ``i`` of the
    picture ``i * scale`` in the frame and add half a *frame* pixel inside the model. A box
    ``(x, y, w, h)``, half-open, goes in as the corners ``(x, y)`` and ``(x + w, y + h)``, a point
    as ``(x, y)``.

    Attributes
    ----------
    scale_x, scale_y
        Frame pixels per picture pixel.
    inner_w, inner_h
        Frame pixels the picture covers; the rest of the frame is padding.
    """

    scale_x: float
    scale_y: float
    inner_w: int
    inner_h: int


class Backend(Protocol):
    """One model on one device; its methods may be called from any thread.

    Attributes
    ----------
    model, weights
        What was opened.
    device
        Such as ``"cpu"`` or ``"cuda"``.
    precision
        Of the encoder: ``"fp32"``, ``"bf16"`` or ``"fp16"``.
    preprocessing
        How a picture becomes the input, in a word that belongs into the key of a kept encoding.
    side
        Pixels along the frame of the model.
    grid
        Cells along the side of its masks.
    """

    model: Model
    weights: Weights | None
    device: str
    precision: str
    preprocessing: str
    side: int
    grid: int

    def fit(self, height: int, width: int) -> Fit:
        """How a picture of that size lies in the frame."""
        ...

    def encode(
        self, image: npt.NDArray[np.uint8], what: str = "the picture"
    ) -> dict[str, npt.NDArray[Any]]:
        """Look at a picture once.

        Parameters
        ----------
        image
            ``(H, W, 3)`` RGB uint8.
        what
            What it is, for people who watch the progress.

        Returns
        -------
        dict
            float32 arrays by name, which can be kept.

        Notes
        -----
        Tells :func:`vde_nb._progress.report` before each block of the network, whose listener
        may raise to stop it; the next call works as if nothing had been.
        """
        ...

    def load(self, arrays: Arrays) -> Any:
        """Bring what :meth:`encode` returned (perhaps kept as float16) to the device."""
        ...

    def decode(
        self,
        loaded: Any,
        boxes: npt.NDArray[Any] | None,
        points: npt.NDArray[Any] | None,
        labels: npt.NDArray[Any] | None,
        masks: npt.NDArray[Any] | None,
        multimask: bool,
    ) -> tuple[Float32, Float32]:
        """Masks for N prompts of one make-up.

        Parameters
        ----------
        loaded
            From :meth:`load`.
        boxes
            ``(N, 4)`` corners ``x0, y0, x1, y1`` in frame coordinates, or None.
        points, labels
            ``(N, P, 2)`` in frame coordinates and ``(N, P)``, 1 = on the object, 0 = not on it,
            -1 = not a point; or both None.
        masks
            ``(N, 1, grid, grid)`` logits of an earlier answer, or None.
        multimask
            Three masks per prompt, for prompts that may mean several things.

        Returns
        -------
        logits
            ``(N, C, grid, grid)``; the mask is where they are above 0. C is 3 with `multimask`,
            otherwise 1.
        iou
            ``(N, C)`` the model's guess of each mask's IoU with what was meant.
        """
        ...


def open_backend(
    weights: Weights, *, device: str = "auto", precision: str = "auto", compile: bool = False
) -> Backend:
    """Read a model from its file or folder.

    Parameters
    ----------
    weights
        Where they are, and of which model.
    device
        One of :data:`vde_nb.segment._device.DEVICES`.
    precision
        One of :data:`vde_nb.segment._device.PRECISIONS`; of the encoder only.
    compile
        Let ``torch.compile`` translate the encoder: the first picture takes minutes, progress is
        told less often, and on a CPU nothing is gained.

    Raises
    ------
    WeightsError
        The file is not what it should be.
    SettingError
        `device` or `precision` cannot be had here.
    MissingExtraError
        torch or the model's library is not installed.
    """
    place = pick_device(device)
    exact = pick_precision(precision, place)
    library = weights.model.backend
    if library == "segment_anything":
        from vde_nb.segment.sam import SamBackend

        return SamBackend(weights, device=place, precision=exact, compile=compile)
    if library == "transformers":
        from vde_nb.segment.sam2 import TransformersBackend

        return TransformersBackend(weights, device=place, precision=exact, compile=compile)
    raise SettingError(
        f"model {weights.model.name!r} has the backend {library!r}: "
        "it must be 'segment_anything' or 'transformers'."
    )
