"""What goes into a decoder in one call, and what comes out: prompts and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.segment._backend import Fit
from vde_nb.segment._masks import Grid, tight_mask
from vde_nb.segment.base import Prompt

__all__ = ["Batch", "MakeUp", "Prediction", "batch", "check_prompt", "make_up_of"]

Bool = npt.NDArray[np.bool_]
Float32 = npt.NDArray[np.float32]


class MakeUp(NamedTuple):
    """What prompts must have in common to be decoded in one call."""

    box: bool
    points: int
    previous: bool
    multimask: bool


class Batch(NamedTuple):
    """Prompts of one make-up in frame coordinates, as ``Backend.decode`` takes them."""

    boxes: Float32 | None
    points: Float32 | None
    labels: npt.NDArray[np.int64] | None
    masks: Float32 | None


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's answer to one prompt.

    Attributes
    ----------
    logits
        ``(C, g, g)`` float32, on the mask grid of `grid`; the mask is where they are above 0.
        One of them goes back in as `previous` to refine it.
    iou
        ``(C,)`` float32: the model's own guess of each mask's quality. Not clamped: it may leave
        [0, 1] a little.
    stability
        ``(C,)`` float32 in [0, 1], see :func:`vde_nb.segment._masks.stability_scores`.
    best
        Index of the mask with the highest `iou`.
    grid
        How the cells lie on the part of the picture that was encoded.
    origin
        ``(x, y)`` of that part in the picture.
    """

    logits: Float32
    iou: Float32
    stability: Float32
    best: int
    grid: Grid
    origin: tuple[int, int]

    def __repr__(self) -> str:
        size = f"{self.grid.width}\u00d7{self.grid.height}"
        scores = ", ".join(f"{value:.2f}" for value in self.iou)
        return f"Prediction({size}, predicted IoU {scores})"

    def tight(self, frame: Box | None = None, which: int | None = None) -> tuple[Box, Bool]:
        """One of the masks, cut to its own bounding box.

        Parameters
        ----------
        frame
            ``(x, y, w, h)`` in picture pixels outside of which nothing is looked at; None: the
            whole part that was encoded.
        which
            Index of the mask; the best by default.

        Returns
        -------
        box, mask
            In picture pixels, and ``(h, w)`` bool. Without area where there is nothing.
        """
        x, y = self.origin
        if frame is None:
            local = (0, 0, self.grid.width, self.grid.height)
        else:
            local = (frame[0] - x, frame[1] - y, frame[2], frame[3])
        index = self.best if which is None else which
        (left, top, w, h), mask = tight_mask(self.logits[index], self.grid, local)
        return (left + x, top + y, w, h), mask

    def mask(self, frame: Box | None = None, which: int | None = None) -> Bool:
        """One of the masks at the picture's resolution.

        Interpolated as upstream does it, but inside `frame` only.

        Parameters
        ----------
        frame
            ``(x, y, w, h)`` in picture pixels; None: the whole part that was encoded.
        which
            Index of the mask; the best by default.

        Returns
        -------
        ndarray
            ``(h, w)`` bool in the frame; False outside of the part that was encoded.
        """
        if frame is None:
            frame = (*self.origin, self.grid.width, self.grid.height)
        (left, top, w, h), found = self.tight(frame, which)
        whole = np.zeros((frame[3], frame[2]), np.bool_)
        if w:
            left, top = left - frame[0], top - frame[1]
            whole[top : top + h, left : left + w] = found
        return whole


def check_place(prompt: Prompt, box: Box, what: str = "The prompt") -> None:
    """See to it that a checked prompt points at something inside of `box`, or SettingError."""
    left, top, width, height = box
    size = f"{width} x {height} picture"
    if prompt.box is not None:
        x, y, w, h = prompt.box
        if x >= left + width or y >= top + height or x + w <= left or y + h <= top:
            raise SettingError(f"{what}: the box {prompt.box} lies outside of the {size}.")
    for x, y, _ in prompt.points:
        if not (left <= x < left + width and top <= y < top + height):
            raise SettingError(f"{what}: the point {(x, y)} lies outside of the {size}.")


def check_prompt(prompt: Prompt, what: str = "The prompt") -> None:
    """See to it that a prompt can be answered at all.

    Parameters
    ----------
    prompt
        Box and points may be anything a person may have put there.
    what
        What messages call it.

    Raises
    ------
    SettingError
        Neither box nor positive point, an empty box, numbers that are not finite, labels other
        than 0 and 1, a mask that does not fit its box, or a negative `reach`.
    """
    box = prompt.box
    if box is not None:
        if len(box) != 4 or not all(_finite(value) for value in box):
            raise SettingError(f"{what} has the box {box}: needed are four numbers x, y, w, h.")
        if box[2] < 1 or box[3] < 1:
            raise SettingError(
                f"{what} has the empty box {box}: width and height must be at least 1."
            )
    for point in prompt.points:
        if len(point) != 3 or not all(_finite(value) for value in point) or point[2] not in (0, 1):
            raise SettingError(
                f"{what} has the point {point}: needed are (x, y, label) with label 1 (on the "
                "object) or 0 (not on it)."
            )
    if box is None and not any(label for *_, label in prompt.points):
        raise SettingError(f"{what} needs a box or a positive point.")
    if prompt.mask is not None and (box is None or prompt.mask.shape != (box[3], box[2])):
        raise SettingError(
            f"{what} has a mask of shape {prompt.mask.shape} that does not fit its box {box}."
        )
    if not prompt.reach >= 0:
        raise SettingError(f"{what} has reach={prompt.reach}: whole number of at least 0.")


def _finite(value: object) -> bool:
    try:
        return math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return False


def make_up_of(prompt: Prompt, previous: Float32 | None, multimask: bool | str) -> MakeUp:
    """The make-up of a prompt; ``multimask="auto"``: three masks for a single click alone."""
    has_box, points = prompt.box is not None, len(prompt.points)
    if multimask == "auto":
        # With a box or an earlier answer there is no doubt what is meant.
        multimask = not has_box and points == 1 and previous is None
    return MakeUp(has_box, points, previous is not None, bool(multimask))


def batch(
    make_up: MakeUp,
    prompts: Sequence[Prompt],
    previous: Sequence[Float32 | None],
    fit: Fit,
    origin: tuple[int, int],
) -> Batch:
    """Bring prompts of one make-up to frame coordinates.

    Parameters
    ----------
    make_up
        Of all of them.
    prompts
        Checked; in picture pixels.
    previous
        Their earlier logits, ``(g, g)``, where `make_up` has them.
    fit, origin
        How the part of the picture that was encoded lies in the frame, and where it begins in
        the picture, ``(x, y)``.

    Returns
    -------
    Batch
        Points where upstream puts them: pixel ``x`` at ``x * scale``.
    """
    # Scaled in double precision and rounded once, as upstream does it.
    scale = np.array([fit.scale_x, fit.scale_y])
    boxes = points = labels = masks = None
    if make_up.box:
        corners = np.array([prompt.box for prompt in prompts], np.float64)
        corners[:, 2:] += corners[:, :2]
        boxes = ((corners - [*origin, *origin]) * [*scale, *scale]).astype(np.float32)
    if make_up.points:
        given = np.array([prompt.points for prompt in prompts], np.float64)
        points = ((given[..., :2] - origin) * scale).astype(np.float32)
        labels = given[..., 2].astype(np.int64)
    if make_up.previous:
        masks = np.stack([one for one in previous if one is not None])[:, None]
    return Batch(boxes, points, labels, masks)
