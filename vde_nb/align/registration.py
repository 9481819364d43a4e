"""Bring the current picture onto the pixel grid of the reference.

Coarse to fine: no motion and the peaks of a phase correlation are refined on small copies of the
pictures, and the best is kept (:mod:`vde_nb.align._candidates`); matched features are asked only
where nothing fits. A robust fit to the displacements of some thousand blocks gives the map to a
few hundredths of a pixel (:mod:`vde_nb.align._refine`), and a smooth flow what no global map
explains (:mod:`vde_nb.align._residual`). All that happens on at most 1.3 megapixels; the picture
itself is interpolated once (:mod:`vde_nb.align._warp`), and not at all where nothing moved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import zeros
from vde_nb._lessons import lesson
from vde_nb.errors import ImageError, SettingError

from ._levels import Bools, Box, Float32, Matrix, UInt8, is_large
from ._refine import MODELS
from ._search import Found, search
from ._warp import flow_at, places, shifted, transform, warp

__all__ = ["Registration", "register"]

#: Pixels of the shorter side that a model needs; in less there is too little to tell it by.
_LEAST_SIDES = {"homography": 96, "affine": 48, "translation": 16, "none": 0}
_LEAST_SIDE = _LEAST_SIDES["translation"]
#: Agreement under which the pictures show two scenes, and by how much more they surely show one:
#: strangers reach 0.08, one scene under bad light and noise 0.4.
_ALIKE = 6.0  # grey levels of 24 x 24 parts: two scenes are further apart
_SAME, _SURELY = 0.095, 0.2
_CHANCE = 0.5  # what chance adds to that in 16 x 16 pixels; less by the root of their number
_STILL, _NEGLIGIBLE = 0.05, 0.3  # full pixels: less motion is none; is not worth a note
_GAIN = 0.0005  # agreement: less gain is not worth an interpolation
_LOST = 0.02  # share of the reference outside the current picture that is worth a note
_MOST_PLACES = 4_000_000  # pixels that are mapped at once: each takes some 80 bytes
_GRID = 33  # points a side at which the motion is measured


@dataclass(frozen=True, eq=False)
class Registration:
    """Result of :func:`register`.

    Attributes
    ----------
    current
        ``(H, W, 3)`` uint8: the current picture on the reference's pixel grid, with the
        reference's own pixels where it shows nothing, so that nothing there can differ. The array
        handed over, itself, where nothing was moved.
    valid
        ``(H, W)`` bool: where the current picture really shows the pixel of the reference.
    model
        What was kept: ``"none"``, ``"translation"``, ``"affine"`` or ``"homography"``.
    matrix
        ``(3, 3)`` float64: position in the reference, ``(x, y, 1)`` at pixel centres, to position
        in the current picture.
    flow
        ``(h, w, 2)`` float32, displacement in full pixels at the centres of squares of `step`
        pixels, or None. The map is ``matrix(p + flow(p))``, `flow` being interpolated linearly.
    step
        Full pixels per vector of `flow`.
    motion, max_motion
        Median and greatest displacement over the picture, in pixels.
    residual_before, residual_after
        1 minus the mean correlation of the two pictures' gradients over the blocks with structure
        (:func:`vde_nb.align._measure.agreement`), 0 to 1, at reduced size; one number where
        nothing was moved. Light makes no difference to it, noise does.
    confidence
        That the two show the same scene, 0 to 1; 0.5 where there is too little to judge by.
    notes
        What a user must know, in words.
    nudge
        ``(dx, dy)``: by so many pixels to the right and down the current picture was moved by hand
        on top of what was found; part of `matrix`, `flow` and `motion`.
    """

    current: UInt8
    valid: Bools
    model: str = "none"
    matrix: Matrix = field(default_factory=lambda: np.eye(3))
    flow: Float32 | None = None
    step: int = 1
    motion: float = 0.0
    max_motion: float = 0.0
    residual_before: float = 0.0
    residual_after: float = 0.0
    confidence: float = 1.0
    notes: tuple[str, ...] = ()
    nudge: tuple[float, float] = (0.0, 0.0)

    @property
    def moved(self) -> bool:
        """Whether `current` is another picture than the one handed over."""
        return self.model != "none" or self.flow is not None

    @property
    def same_scene(self) -> bool:
        """Whether there is any reason to believe that both pictures show the same scene."""
        return self.confidence > 0

    def points_to_current(self, points: npt.ArrayLike) -> Matrix:
        """Positions ``(n, 2)`` in the reference -> positions in the current picture handed over."""
        array = np.asarray(points, np.float64).reshape(-1, 2)
        if self.flow is not None:
            array = array + flow_at(self.flow, self.step, array)
        return transform(self.matrix, array)

    def box_to_current(self, box: Box) -> Box:
        """Box in reference pixels -> the smallest box around it in the current picture.

        Cut to the picture, and at least one pixel wide and high.
        """
        if not self.moved:
            return box
        x, y, w, h = box
        across, down = np.linspace(x, x + w, 9), np.linspace(y, y + h, 9)
        sides = [np.stack([across, np.full(9, end)], -1) for end in (y, y + h)]
        sides += [np.stack([np.full(9, end), down], -1) for end in (x, x + w)]
        # Edges of pixels lie half a pixel before their centres.
        mapped = self.points_to_current(np.concatenate(sides) - 0.5) + 0.5
        size = np.array(self.valid.shape[::-1])
        low = np.clip(np.rint(mapped.min(axis=0)), 0, size - 1).astype(int)
        end = np.clip(np.rint(mapped.max(axis=0)), low + 1, size).astype(int)
        return int(low[0]), int(low[1]), int(end[0] - low[0]), int(end[1] - low[1])

    def to_current(self, mask: Bools) -> Bools:
        """Mask ``(H, W)`` in reference pixels -> mask in the current picture handed over.

        Every pixel of the current picture takes the value at the nearest place in the reference.
        """
        if not self.moved:
            return mask.copy()
        result = np.zeros(self.valid.shape, np.bool_)
        left, top, wide, high = cv2.boundingRect(mask.astype(np.uint8))
        if not wide:
            return result
        # Nothing lies more than a pixel outside of where the borders of the box go.
        x, y, w, h = self.box_to_current((left - 2, top - 2, wide + 4, high + 4))
        rows, columns = self.valid.shape
        step = max(1, _MOST_PLACES // w)
        for first in range(y, y + h, step):
            area = x, first, w, min(step, y + h - first)
            found = np.rint(places(self.matrix, self.flow, self.step, area)).astype(np.intp)
            known = (found >= 0).all(axis=2) & (found[..., 0] < columns) & (found[..., 1] < rows)
            found[~known] = 0
            part = result[first : first + area[3], x : x + w]
            np.logical_and(mask[found[..., 1], found[..., 0]], known, out=part)
        return result


def register(
    reference: UInt8,
    current: UInt8,
    *,
    model: str = "auto",
    residual: bool = True,
    valid: Box | None = None,
    progress: Callable[[str], object] | None = None,
) -> Registration:
    """Register the current picture on the reference.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB, uint8, of one size.
    model
        The most general global map to look for: ``"translation"``, ``"affine"`` or
        ``"homography"``; a simpler one is kept where it explains as much. ``"auto"`` is
        ``"homography"``; ``"none"`` looks for no global map.
    residual
        Look for a smooth displacement field beyond the global map: at most 4 pixels at about a
        megapixel, and too smooth to follow a part that moved by itself.
    valid
        Box ``(x, y, w, h)`` of `current` that is real; the rest was padded. Default: all of it.
    progress
        Called with the name of every stage before it begins; may raise to cancel.

    Returns
    -------
    Registration
        Deterministic: the same pictures give the same bytes. Where nothing fits better than the
        pictures as they are, `current` is the array handed over and `notes` says why.

    Raises
    ------
    ImageError
        The pictures are not uint8 RGB of one size.
    SettingError
        An unknown model, or a `valid` box that is empty or leaves the picture.

    Examples
    --------
    >>> from vde_nb import samples
    >>> pair = samples.load("board", shift=(2.3, -1.4))
    >>> registration = register(pair.reference, pair.current)
    >>> registration.model, round(registration.motion, 1)
    ('translation', 2.7)
    >>> registration.points_to_current([(100, 100)]).round(1)
    array([[102.3,  98.6]])
    """
    box = _checked(reference, current, model, valid)
    if _equal(reference, current):
        return _unmoved(current, box)
    side = min(box[2:])
    if side < _LEAST_SIDE:
        note = (
            f"pictures under {_LEAST_SIDE} pixels are not registered: there is too little in them"
        )
        return _unmoved(current, box, 0.0, 0.5, (note,))
    known = list(MODELS)
    most = known[-1] if model == "auto" else model
    while side < _LEAST_SIDES[most]:
        most = known[known.index(most) - 1]
    tell = progress if progress is not None else lambda stage: None
    found = search(reference, current, most, residual, box, tell)
    return _judged(reference, current, found, box, tell)


def _checked(reference: UInt8, current: UInt8, model: str, valid: Box | None) -> Box:
    """Return the box of the current picture that is real, or raise what is wrong."""
    for name, picture in (("reference", reference), ("current", current)):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ImageError(
                f"{name} is {picture.dtype} of shape {picture.shape}; registration needs uint8 RGB "
                "of shape (H, W, 3)"
            )
    height, width = reference.shape[:2]
    if reference.shape != current.shape:
        raise ImageError(
            f"the reference is {width} × {height} pixels and the current picture "
            f"{current.shape[1]} × {current.shape[0]}: bring them to one size first"
        )
    if model != "auto" and model not in MODELS:
        known = ", ".join(map(repr, ("auto", *MODELS)))
        raise SettingError(
            f"there is no model {model!r}. There are {known}.{lesson('registration')}"
        )
    if valid is None:
        return 0, 0, width, height
    x, y, w, h = valid
    if w < 1 or h < 1 or x < 0 or y < 0 or x + w > width or y + h > height:
        raise SettingError(f"valid={valid} is not a box within {width} × {height} pixels")
    return x, y, w, h


def _equal(one: UInt8, other: UInt8) -> bool:
    """Whether two pictures are the same; two that are not show it in their first rows."""
    rows = max(1, _MOST_PLACES // one.shape[1])
    return all(
        np.array_equal(one[first : first + rows], other[first : first + rows])
        for first in range(0, len(one), rows)
    )


def _unmoved(
    current: UInt8,
    box: Box,
    residual: float = 0.0,
    confidence: float = 1.0,
    notes: tuple[str, ...] = (),
) -> Registration:
    """The current picture as it was handed over."""
    x, y, w, h = box
    shape = current.shape[:2]
    if is_large(shape) and (h, w) == shape:
        valid = np.broadcast_to(np.True_, shape)  # nothing but its shape takes memory
    else:
        valid = zeros(shape, np.bool_)
        valid[y : y + h, x : x + w] = True
    return Registration(
        current,
        valid,
        residual_before=residual,
        residual_after=residual,
        confidence=confidence,
        notes=notes,
    )


def _look_alike(reference: UInt8, current: UInt8, box: Box) -> bool:
    """Whether the two agree in the large, whatever their light."""
    x, y, w, h = box
    one, two = (
        cv2.resize(image[y : y + h, x : x + w], (24, 24), interpolation=cv2.INTER_AREA)
        for image in (reference, current)
    )
    apart = one.astype(np.float64) - two
    return float(np.mean(np.abs(apart - np.median(apart, axis=(0, 1))))) < _ALIKE


def _judged(
    reference: UInt8, current: UInt8, found: Found, box: Box, tell: Callable[[str], object]
) -> Registration:
    """Keep what was found, or say why not."""
    before, after = 1 - found.before, 1 - found.after
    if found.same_pixels:
        return _unmoved(current, box, before)
    little = "there is too little structure to register by; the pictures are compared as they are"
    if not found.textured:
        return _unmoved(current, box, before, 0.5, (little,))
    # In few pixels, something can always be made to agree.
    least = _SAME + _CHANCE / math.sqrt(max(1.0, box[2] * box[3] / 256))
    confidence = min(max((found.after - least) / _SURELY, 0.0), 1.0)
    if found.after < least and _look_alike(reference, current, box):
        return _unmoved(current, box, before, 0.5, (little,))  # what there is of it is noise
    if found.after < least:
        note = (
            f"these do not look like the same scene: at best {found.after:.0%} of their structure "
            "agrees; the pictures are compared as they are"
        )
        return _unmoved(current, box, before, confidence, (note,))
    middle, most = motion(found.matrix, found.flow, found.step, reference.shape[:2])
    if most < _STILL:
        return _unmoved(current, box, before, confidence)
    if found.after < found.before + _GAIN:
        note = (
            f"registration did not help: a motion of {middle:.1f} pixels fits no better; the "
            "pictures are compared as they are"
        )
        return _unmoved(current, box, before, confidence, (note,) if most > _NEGLIGIBLE else ())
    tell("moving the current picture")
    matrix, whole = found.matrix, np.rint(found.matrix[:2, 2])
    if (
        found.model == "translation"
        and found.flow is None
        and np.abs(matrix[:2, 2] - whole).max() < _STILL
    ):
        matrix = np.eye(3)
        matrix[:2, 2] = whole
        result, shown = shifted(reference, current, int(whole[0]), int(whole[1]), box)
    else:
        result, shown = warp(reference, current, matrix, found.flow, found.step, box)
    return Registration(
        result,
        shown,
        found.model,
        matrix,
        found.flow,
        found.step,
        middle,
        most,
        before,
        after,
        confidence,
        _notes(found, middle, most, shown, box),
    )


def motion(
    matrix: Matrix, flow: Float32 | None, step: int, shape: tuple[int, ...]
) -> tuple[float, float]:
    """Median and greatest displacement by a map over a picture of `shape`, in pixels."""
    height, width = shape
    x, y = np.linspace(0, width - 1, _GRID), np.linspace(0, height - 1, _GRID)
    points = np.dstack(np.meshgrid(x, y)).reshape(-1, 2)
    start = points if flow is None else points + flow_at(flow, step, points)
    gap = transform(matrix, start) - points
    length = np.hypot(gap[:, 0], gap[:, 1])
    return float(np.median(length)), float(length.max())


def _notes(found: Found, middle: float, most: float, shown: Bools, box: Box) -> tuple[str, ...]:
    """What was done, in words."""
    how = found.model if found.model != "none" else "smooth local displacement"
    if found.model != "none" and found.flow is not None:
        how += " and a smooth local displacement"
    far = f", at most {most:.1f}" if most > max(1.5 * middle, middle + 0.5) else ""
    note = f"the current picture was moved by {middle:.1f} pixels{far} ({how})"
    return note, *lost_note(shown, box)


def lost_note(shown: Bools, box: Box) -> tuple[str, ...]:
    """How much of the reference the current picture does not show, if it is worth a note."""
    lost = 1 - float(np.count_nonzero(shown)) / math.prod(box[2:])
    if lost <= _LOST:
        return ()
    return (f"{lost:.0%} of the reference is outside the current picture: not compared",)
