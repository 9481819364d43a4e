"""What was missed, made up and called wrongly, with cuttings of pictures small enough to keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._boxes import iou
from vde_nb.comparison import Comparison
from vde_nb.detect import Box
from vde_nb.evaluate._truth import TrueRegion

__all__ = ["FALSE_ALARM", "KINDS", "MISNAMED", "MISSED", "Mistake", "Mistakes"]

UInt8 = npt.NDArray[np.uint8]

MISSED, FALSE_ALARM, MISNAMED = "missed", "false alarm", "misnamed"
KINDS = (MISSED, FALSE_ALARM, MISNAMED)

#: Most mistakes of a kind that are kept; and with pictures, in all and of one pair, so that one
#: pair that goes wrong all over does not hide the others.
_MOST, _PICTURED, _PICTURED_OF_PAIR = 1000, 48, 6
#: Pixels of the longest side of a kept picture, and the least that is shown around a box.
_LONGEST, _LEAST, _AROUND = 160, 56, 20


@dataclass(frozen=True, eq=False)
class Mistake:
    """One box that was missed, made up or called wrongly.

    Attributes
    ----------
    pair
        Name of the pair.
    kind
        ``"missed"``: a true box that no found one matched. ``"false alarm"``: a found box that
        matched no true one. ``"misnamed"``: they matched, but the type is another.
    box
        ``(x, y, w, h)`` in reference pixels: of the truth, of a false alarm what was found.
    true, given
        The true type and the one that was given; empty where there is none.
    overlap
        Largest IoU with any box of the other side, before any margin. Somewhat below
        :attr:`Report.min_iou` it says that the place was found, and only its box is another.
    window
        The part of the picture that is kept, ``(x, y, w, h)`` in reference pixels.
    reference, current
        That part of both pictures, ``(h, w, 3)`` uint8 RGB, reduced to 160 pixels; None where
        none is kept, see :attr:`Report.mistakes`.
    true_boxes, found_boxes
        All boxes that reach into the window.
    """

    pair: str
    kind: str
    box: Box
    true: str
    given: str
    overlap: float
    window: Box = field(repr=False)
    reference: UInt8 | None = field(repr=False)
    current: UInt8 | None = field(repr=False)
    true_boxes: tuple[Box, ...] = field(default=(), repr=False)
    found_boxes: tuple[Box, ...] = field(default=(), repr=False)

    @property
    def words(self) -> str:
        """What happened, in a few words.

        >>> Mistake("p", "misnamed", (0, 0, 1, 1), "crack", "scratch", 1, (0, 0, 1, 1), None, None
        ...     ).words
        'crack called scratch'
        """
        if self.kind == MISNAMED:
            return f"{self.true} called {self.given}"
        return f"{self.kind}: {self.true or self.given}" if self.true or self.given else self.kind


class Mistakes:
    """Collects the mistakes of pair after pair, never more than fit into a few megabytes."""

    def __init__(self) -> None:
        self._kept: list[Mistake] = []
        self._counts: Counter[str] = Counter()
        self._pictured: Counter[str] = Counter()

    def add(
        self,
        name: str,
        comparison: Comparison,
        true: Sequence[TrueRegion],
        matches: Sequence[tuple[int, int]],
    ) -> None:
        """Look through one pair.

        Parameters
        ----------
        name
            Of the pair.
        comparison
            What was found.
        true
            What is true.
        matches
            Which of `comparison.anomalies` is which of `true`.
        """
        found = comparison.anomalies
        boxes = [one.box for one in found], [one.box for one in true]
        overlap = iou(*boxes) if found and true else np.zeros((len(found), len(true)))
        hit, met = {i for i, _ in matches}, {j for _, j in matches}
        here: list[tuple[str, Box, str, str, float]] = [
            (MISSED, one.box, one.type, "", float(overlap[:, j].max(initial=0)))
            for j, one in enumerate(true)
            if j not in met
        ]
        here += [
            (FALSE_ALARM, one.box, "", one.type, float(overlap[i].max(initial=0)))
            for i, one in enumerate(found)
            if i not in hit
        ]
        here += [
            (MISNAMED, true[j].box, true[j].type, found[i].type, float(overlap[i, j]))
            for i, j in matches
            if true[j].type and true[j].type != found[i].type
        ]
        of_pair: Counter[str] = Counter()
        for kind, *rest in here:
            if self._counts[kind] >= _MOST:
                continue
            self._counts[kind] += 1
            is_shown = of_pair[kind] < _PICTURED_OF_PAIR and self._pictured[kind] < _PICTURED
            of_pair[kind] += is_shown
            self._pictured[kind] += is_shown
            self._kept.append(_made(name, kind, rest, comparison, boxes, is_shown))

    def all(self) -> tuple[Mistake, ...]:
        """Those that were kept, kind after kind, in the order of the pairs."""
        return tuple(sorted(self._kept, key=lambda one: KINDS.index(one.kind)))


def _made(
    name: str,
    kind: str,
    rest: list[Any],
    comparison: Comparison,
    boxes: tuple[list[Box], list[Box]],
    is_shown: bool,
) -> Mistake:
    box, true, given, overlap = rest
    if not is_shown:
        return Mistake(name, kind, box, true, given, overlap, box, None, None)
    window = _window(box, comparison.heatmap.shape)
    found, truth = (tuple(one for one in some if _meet(one, window)) for some in boxes)
    reference, current = (_cut(one, window) for one in (comparison.reference, comparison.current))
    return Mistake(name, kind, box, true, given, overlap, window, reference, current, truth, found)


def _window(box: Box, shape: tuple[int, ...]) -> Box:
    """The part of a picture to show around a box: square where it fits."""
    x, y, w, h = box
    side = max(w + 2 * _AROUND, h + 2 * _AROUND, _LEAST)
    width, height = min(side, shape[1]), min(side, shape[0])
    left = min(max(x + w // 2 - width // 2, 0), shape[1] - width)
    top = min(max(y + h // 2 - height // 2, 0), shape[0] - height)
    return left, top, width, height


def _cut(picture: UInt8, window: Box) -> UInt8:
    x, y, w, h = window
    part = picture[y : y + h, x : x + w]
    scale = _LONGEST / max(w, h)
    if scale >= 1:
        return part.copy()  # a view would keep the whole picture
    size = max(1, round(w * scale)), max(1, round(h * scale))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)


def _meet(one: Box, other: Box) -> bool:
    (x, y, w, h), (left, top, width, height) = one, other
    return x < left + width and left < x + w and y < top + height and top < y + h
