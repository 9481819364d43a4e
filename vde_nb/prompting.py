"""Prompts: what a person points at is outlined, named and graded like what was detected.

Detection is never changed by a prompt: the mask, the scores and the other anomalies stay, and one
prompt makes one anomaly. Where it means one that was detected, it takes its place.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._boxes import SAME, iou
from vde_nb.comparison import Anomaly
from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.reviewing import checked_box
from vde_nb.segment import Chosen, Outline, Prompt, Scene
from vde_nb.settings import EMBEDDED

__all__ = [
    "Outlined",
    "checked_prompts",
    "compared_part",
    "outline_prompts",
    "prompt_dict",
    "prompts_key",
    "with_prompted",
]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]

#: Share of an anomaly inside an outline from which a prompt means it.
_INSIDE = 0.5
#: Times the area of all anomalies inside from which an outline means something else.
_OVERSIZE = 25


@dataclass(frozen=True, eq=False)
class Outlined:
    """What prompts came to.

    Attributes
    ----------
    outlines
        One per prompt; None where nothing of it can be compared.
    notes
        What there is to say about them, in words.
    """

    outlines: tuple[Outline | None, ...] = ()
    notes: tuple[str, ...] = ()


def checked_prompts(
    prompts: Iterable[Prompt | Mapping[str, Any]] | None, shape: tuple[int, int] | None = None
) -> tuple[Prompt, ...]:
    """Prompts, or dictionaries with `box` and `points`, checked and in plain numbers.

    Parameters
    ----------
    prompts
        A box ``(x, y, w, h)``, points ``(x, y)`` or ``(x, y, label)`` with label 1 = on the
        object and 0 = not on it, or both, in reference pixels.
    shape
        ``(H, W)`` of the picture they must lie in, boxes being cut to it; None: not known yet.

    Raises
    ------
    SettingError
        A box is empty or outside of the picture, a point is outside, or there is neither a box
        nor a positive point. The message says which prompt, counted from 1.

    Examples
    --------
    >>> checked_prompts([{"box": [-5, 10, 20, 8], "points": [[3, 4]]}], (60, 80))[0].box
    (0, 10, 15, 8)
    """
    if prompts is None:
        return ()
    if isinstance(prompts, (str, bytes, Mapping, Prompt)) or not isinstance(prompts, Iterable):
        raise SettingError(f"prompts must be a list of vde.Prompt, not {type(prompts).__name__}.")
    return tuple(_checked(prompt, number, shape) for number, prompt in enumerate(prompts, 1))


def prompt_dict(prompt: Prompt) -> dict[str, Any]:
    """A checked prompt in plain values for JSON; :func:`checked_prompts` reads them back.

    A mask is left out: people give none.
    """
    made: dict[str, Any] = {
        "box": None if prompt.box is None else list(prompt.box),
        "points": [list(point) for point in prompt.points],
    }
    return {**made, "reach": prompt.reach} if prompt.reach else made


def _checked(given: Any, number: int, shape: tuple[int, int] | None) -> Prompt:
    what = f"Prompt {number}"
    if isinstance(given, Mapping):
        unknown = [key for key in given if key not in ("box", "points", "reach")]
        if unknown:
            raise SettingError(
                f"{what} has an unknown {unknown[0]!r}: it may have 'box', 'points' and 'reach'."
            )
        given = Prompt(given.get("box"), given.get("points") or (), reach=given.get("reach") or 0)
    if not isinstance(given, Prompt):
        raise SettingError(
            f"{what} is {given!r}: needed is a vde.Prompt or a dictionary with 'box' and 'points'."
        )
    box = None if given.box is None else checked_box(given.box, f"The box of prompt {number}")
    points = _points(given.points, what)
    if isinstance(given.reach, bool) or not isinstance(given.reach, int) or given.reach < 0:
        raise SettingError(f"{what} has reach={given.reach!r}: whole number of at least 0.")
    if box is None and not any(label for *_, label in points):
        has = "only negative points" if points else "neither a box nor a point"
        raise SettingError(f"{what} has {has}: it needs a box or a positive point.")
    if given.mask is not None and (box is None or given.mask.shape != box[:1:-1]):
        raise SettingError(f"{what} has a mask that does not fit its box {box}.")
    prompt = Prompt(box, points, given.mask, given.reach)
    return prompt if shape is None else _inside(prompt, what, shape)


def _points(given: Any, what: str) -> tuple[tuple[int, int, int], ...]:
    made = []
    for point in () if isinstance(given, (str, bytes)) or not np.iterable(given) else given:
        values = list(point) if np.iterable(point) and not isinstance(point, str) else []
        values += [1] * (len(values) == 2)
        try:
            numbers = [int(value) for value in values]
        except (TypeError, ValueError, OverflowError):
            numbers = []
        if len(numbers) != 3 or numbers != values or numbers[2] not in (0, 1):
            raise SettingError(
                f"{what} has the point {point!r}: needed are whole numbers (x, y) or (x, y, label) "
                "with label 1 (on the object) or 0 (not on it)."
            )
        made.append((numbers[0], numbers[1], numbers[2]))
    return tuple(made)


def _inside(prompt: Prompt, what: str, shape: tuple[int, int]) -> Prompt:
    height, width = shape
    for x, y, _ in prompt.points:
        if not (0 <= x < width and 0 <= y < height):
            raise SettingError(
                f"{what}: the point ({x}, {y}) lies outside the {width} \u00d7 {height} picture."
            )
    if prompt.box is None:
        return prompt
    x, y, w, h = prompt.box
    left, top, right, bottom = max(0, x), max(0, y), min(width, x + w), min(height, y + h)
    if left >= right or top >= bottom:
        raise SettingError(
            f"{what}: the box {prompt.box} lies outside the {width} \u00d7 {height} picture."
        )
    mask = prompt.mask
    if mask is not None:
        mask = mask[top - y : bottom - y, left - x : right - x]
    return replace(prompt, box=(left, top, right - left, bottom - top), mask=mask)


def prompts_key(prompts: Sequence[Prompt]) -> Hashable:
    """What a cache knows checked prompts by."""
    return tuple(
        (one.box, one.points, one.reach, None if one.mask is None else one.mask.tobytes())
        for one in prompts
    )


def outline_prompts(
    prompts: Sequence[Prompt],
    heatmap: UInt8,
    reference: UInt8,
    current: UInt8,
    valid: Bool | None,
    segmenter: Chosen,
) -> Outlined:
    """Outline what prompts point at.

    Parameters
    ----------
    prompts
        Checked, see :func:`checked_prompts`.
    heatmap, reference, current, valid
        ``(H, W)`` uint8, twice ``(H, W, 3)`` uint8 on one pixel grid, ``(H, W)`` bool or None.
    segmenter
        What outlines; ``"none"`` keeps the box, or the box around the positive points.

    Returns
    -------
    Outlined
        One outline for each prompt, in their order.
    """
    asked = [_asked(prompt, segmenter.name) for prompt in prompts]
    prepared = segmenter.make().prepare(Scene(reference, current, heatmap))
    # One by one: what is pointed at next must not change what was outlined before, and some
    # segmenters look at all prompts together. Pictures stay encoded in between.
    answers = [prepared.segment([prompt])[0] for prompt in asked]
    outlines: list[Outline | None] = []
    notes = list(prepared.notes)
    for number, (prompt, answer) in enumerate(zip(asked, answers, strict=True), 1):
        if not answer.mask.any():
            notes.append(f"{segmenter.title} found nothing at prompt {number}: its place is kept.")
            box = prompt.box or _around(prompt)
            answer = Outline(box, np.ones(box[:1:-1], np.bool_), 0.0)
        elif answer.note:
            notes.append(answer.note)
        found = compared_part(answer, valid)
        if found is None:
            notes.append(f"Prompt {number} lies where nothing is compared: it makes no anomaly.")
        outlines.append(found)
    return Outlined(tuple(outlines), tuple(dict.fromkeys(notes)))


def _asked(prompt: Prompt, segmenter: str) -> Prompt:
    """A prompt as a segmenter takes it: positive points first, and all of them within reach."""
    points = tuple(sorted(prompt.points, key=lambda point: -point[2]))
    if prompt.box is None:
        return replace(prompt, box=_around(prompt) if segmenter == "none" else None, points=points)
    x, y, w, h = prompt.box
    mask = prompt.mask
    if mask is None and segmenter == "graphcut":
        # A box somebody drew is a better start than the hottest part of it: on the samples, the
        # outlines overlap with the truth by 0.80 instead of 0.67 (intersection over union).
        mask = np.ones((h, w), np.bool_)
    reach = prompt.reach
    if segmenter not in EMBEDDED:  # a model takes a box for a hint, not for a fence
        reach = max(reach, round(max(w, h) / 2))
    away = [max(x - px, px - x - w + 1, y - py, py - y - h + 1) for px, py, on in points if on]
    return replace(prompt, points=points, mask=mask, reach=max([reach, *away]))


def _around(prompt: Prompt) -> Box:
    """The box around the positive points."""
    on = np.array([point[:2] for point in prompt.points if point[2]], np.int32)
    x, y, w, h = cv2.boundingRect(on)
    return x, y, w, h


def compared_part(outline: Outline, valid: Bool | None) -> Outline | None:
    """`outline` without what is not `valid` (None: all is); None when nothing is left."""
    if valid is None:
        return outline
    x, y, w, h = outline.box
    mask = outline.mask & valid[y : y + h, x : x + w]
    left, top, wide, high = cv2.boundingRect(mask.view(np.uint8))
    if not wide:
        return None
    cut = mask[top : top + high, left : left + wide]
    return replace(outline, box=(x + left, y + top, wide, high), mask=cut)


def with_prompted(
    detected: Sequence[Anomaly], prompts: Sequence[Prompt], prompted: Sequence[Anomaly | None]
) -> list[Anomaly]:
    """Let prompted anomalies join the others; each takes the place of what it means.

    It means an anomaly when their boxes, or the prompt's own box and the anomaly's, overlap by
    half (intersection over union), or when half of the anomaly lies inside its outline. So a box
    around three anomalies replaces those its outline holds, and loses none of the others. An
    outline that is out of all proportion to what lies inside it, such as the whole part behind a
    click, stands beside them. Of two prompts that mean the same, the later one stays.

    Parameters
    ----------
    detected
        In their order.
    prompts, prompted
        One anomaly, or None, for each prompt.

    Returns
    -------
    list of Anomaly
        Not numbered anew. What replaces stands in the place of the first it replaced, the rest
        at the end.
    """
    made = list(detected)
    for prompt, new in zip(prompts, prompted, strict=True):
        if new is None:
            continue
        boxes = [one.box for one in made]
        meant = iou([new.box], boxes)[0] >= SAME
        if prompt.box is not None:
            meant |= iou([prompt.box], boxes)[0] >= SAME
        inside = [i for i, old in enumerate(made) if _shared(old, new) >= _INSIDE * old.area]
        if new.area > _OVERSIZE * sum(made[i].area for i in inside):
            inside = []
        replaced = sorted({*inside, *np.flatnonzero(meant).tolist()})
        place = replaced[0] if replaced else len(made)
        made.insert(place, new)
        gone = {i + 1 for i in replaced}  # they moved up by the new one
        made = [one for i, one in enumerate(made) if i not in gone]
    return made


def _shared(one: Anomaly, other: Anomaly) -> int:
    """Pixels that lie inside both outlines."""
    left, top = max(one.x, other.x), max(one.y, other.y)
    right, bottom = min(one.x + one.w, other.x + other.w), min(one.y + one.h, other.y + other.h)
    if left >= right or top >= bottom:
        return 0
    parts = [a.outline[top - a.y : bottom - a.y, left - a.x : right - a.x] for a in (one, other)]
    return int(np.count_nonzero(parts[0] & parts[1]))
