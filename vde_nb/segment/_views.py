"""Two pictures, one prompt: which of them shows the object, and what that says about it.

What was added lies in the current picture, what is missing only in the reference. So a model is
asked in both, and the outline is taken from the one where it agrees with what detection found.
Where both show the object, how far its outline moved is evidence, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

__all__ = ["View", "agreement", "best_view", "overlap", "shared_pixels", "views_evidence"]

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class View:
    """What a model found in one picture.

    Attributes
    ----------
    box
        Tight bounding box ``(x, y, w, h)``; without area where nothing was found.
    mask
        ``(h, w)`` bool in the frame of `box`.
    iou
        The model's own guess of the mask's quality, in [0, 1].
    stability
        How little the mask depends on the threshold, in [0, 1].
    """

    box: Box
    mask: Bool
    iou: float = 0.0
    stability: float = 0.0

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @property
    def centroid(self) -> tuple[float, float]:
        """Mean ``(x, y)`` of the mask's pixels, which must not be empty."""
        x, y, w, h = self.box
        area = self.area
        across = self.mask.sum(axis=0) @ np.arange(w)
        down = self.mask.sum(axis=1) @ np.arange(h)
        return x + float(across) / area, y + float(down) / area


def overlap(one: View, other: View) -> float:
    """Intersection over union of two masks; 0 where both are empty.

    Examples
    --------
    >>> square = np.ones((4, 4), bool)
    >>> overlap(View((0, 0, 4, 4), square), View((2, 0, 4, 4), square))
    0.3333333333333333
    """
    shared = shared_pixels(one, other)
    union = one.area + other.area - shared
    return shared / union if union else 0.0


def shared_pixels(one: View, other: View) -> int:
    """Pixels that lie in both masks."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    bottom = min(one.box[1] + one.box[3], other.box[1] + other.box[3])
    if left >= right or top >= bottom:
        return 0
    parts = []
    for view in (one, other):
        x, y = view.box[:2]
        parts.append(view.mask[top - y : bottom - y, left - x : right - x])
    return int(np.count_nonzero(parts[0] & parts[1]))


def agreement(view: View, detected: View) -> float:
    """How much a mask is what was detected, in [0, 1].

    Overlap times predicted IoU: detection's mask is too wide by some pixels, so that on a small
    region the overlap alone prefers a model that found nothing and filled the box to one that
    drew the border. Such a model says itself that it is not sure.
    """
    return view.iou * overlap(view, detected)


def best_view(views: Sequence[View], detected: View | None) -> int:
    """Index of the picture whose mask is the outline.

    Parameters
    ----------
    views
        The current picture's first, then the reference's where it was looked at.
    detected
        What detection found, or None.

    Returns
    -------
    int
        The one with the higher :func:`agreement`. Where they are equal, or nothing was detected,
        the current picture, unless it shows nothing.
    """
    if detected is None:
        return next((i for i, view in enumerate(views) if view.area), 0)
    return int(np.argmax([agreement(view, detected) for view in views]))


def views_evidence(views: Sequence[View], detected: View | None) -> dict[str, float]:
    """What the masks in the pictures say about a region.

    Parameters
    ----------
    views
        The current picture's first, then the reference's where it was looked at.
    detected
        What detection found, or None: then the chosen mask takes its place as what the other
        one is held against.

    Returns
    -------
    dict
        ``predicted_iou`` and ``stability`` of the chosen mask; ``in_current`` and, where both
        pictures were looked at, ``in_reference``: the :func:`agreement` of each with what was
        detected; then also ``mask_iou`` of the two masks, and, where neither is
        empty, ``mask_shift``, the pixels between their centroids. High ``mask_iou`` and low
        ``mask_shift`` say that the object is in both and changed on the spot; high
        ``in_current`` and low ``in_reference`` that it appeared; the other way round that it
        vanished; both high and a shift that it moved. ``appeared``, ``vanished`` and ``moved``
        put that into one number each, 0 to 1: how much more the object is in one picture than in
        the other, and how much it is in both with masks that do not overlap.
    """
    index = best_view(views, detected)
    chosen, held = views[index], detected or views[index]
    found = {"predicted_iou": chosen.iou, "stability": chosen.stability}
    for name, view in zip(("in_current", "in_reference"), views, strict=False):
        found[name] = agreement(view, held)
    if len(views) > 1:
        found["mask_iou"] = overlap(views[0], views[1])
        now, before = found["in_current"], found["in_reference"]
        found["appeared"], found["vanished"] = max(0.0, now - before), max(0.0, before - now)
        found["moved"] = min(now, before) * (1 - found["mask_iou"])
        if views[0].area and views[1].area:
            found["mask_shift"] = math.dist(views[0].centroid, views[1].centroid)
    return found
