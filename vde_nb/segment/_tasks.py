"""Prompts of a person or of detection, checked against the picture they lie in."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.segment._batches import check_prompt
from vde_nb.segment._views import View
from vde_nb.segment.base import Prompt

__all__ = ["Task", "around", "checked_task", "within"]


@dataclass(frozen=True, eq=False)
class Task:
    """A checked prompt.

    Attributes
    ----------
    prompt
        Its box cut to the picture, without mask.
    frame
        ``(x, y, w, h)``: no outline leaves it.
    detected
        The prompt's mask, None where it has none.
    """

    prompt: Prompt
    frame: Box
    detected: View | None

    @property
    def extent(self) -> Box:
        """What a crop must hold: the box and all positive points."""
        x, y, w, h = self.prompt.box or around(self.prompt)
        on = [point for point in self.prompt.points if point[2]]
        left, top = min([x, *(p[0] for p in on)]), min([y, *(p[1] for p in on)])
        right = max([x + w, *(p[0] + 1 for p in on)])
        bottom = max([y + h, *(p[1] + 1 for p in on)])
        return left, top, right - left, bottom - top


def around(prompt: Prompt) -> Box:
    """The box around the positive points."""
    on = np.array([point[:2] for point in prompt.points if point[2]], np.int32)
    x, y, w, h = cv2.boundingRect(on)
    return x, y, w, h


def within(prompt: Prompt, part: Box) -> Prompt:
    """A prompt without the points that cannot be seen in a part of the picture."""
    x, y, w, h = part
    inside = tuple(p for p in prompt.points if x <= p[0] < x + w and y <= p[1] < y + h)
    return prompt if len(inside) == len(prompt.points) else replace(prompt, points=inside)


def checked_task(prompt: Prompt, height: int, width: int, clip: bool) -> Task:
    """Cut a prompt to the picture, or raise :class:`SettingError`.

    Points become those of the pixels they lie in.
    """
    reach = _whole(prompt.reach)
    check_prompt(prompt)
    points = tuple((math.floor(x), math.floor(y), int(label)) for x, y, label in prompt.points)
    for x, y, _ in points:
        if not (0 <= x < width and 0 <= y < height):
            raise SettingError(f"Point {(x, y)} lies outside the {width} x {height} picture.")
    picture = (0, 0, width, height)
    if prompt.box is None:
        return Task(replace(prompt, points=points, reach=reach), picture, None)
    x, y, w, h = (int(value) for value in prompt.box)
    left, top, right, bottom = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
    if left >= right or top >= bottom:
        raise SettingError(f"Box {prompt.box} lies outside the {width} x {height} picture.")
    for px, py, label in points:
        if label and max(left - px, px - right + 1, top - py, py - bottom + 1) > reach and clip:
            raise SettingError(
                f"The positive point {(px, py)} is farther than {reach} pixels from box "
                f"{prompt.box}."
            )
    box = (left, top, right - left, bottom - top)
    detected = None
    if prompt.mask is not None:
        mask = prompt.mask[top - y : bottom - y, left - x : right - x]
        if mask.any():
            detected = View(box, mask)
    frame = picture
    if clip:
        fx, fy = max(0, left - reach), max(0, top - reach)
        frame = (fx, fy, min(width, right + reach) - fx, min(height, bottom + reach) - fy)
    return Task(Prompt(box, points, None, reach), frame, detected)


def _whole(reach: object) -> int:
    try:
        return operator.index(reach)  # type: ignore[arg-type]
    except TypeError:
        raise SettingError(
            f"The prompt has reach={reach!r}: whole number of pixels, at least 0."
        ) from None
