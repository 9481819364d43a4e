"""Numbered tags: what they say, where they go, and how they look.

Only the small picture of a tag passes through Pillow, which sets better type than OpenCV and
knows more than ASCII.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from unicodedata import bidirectional

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.detect import Box

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from vde_nb.comparison import Anomaly

__all__ = ["DARK", "Colour", "Tag", "ink", "place_tags", "ramp", "stamp"]

Colour: TypeAlias = tuple[int, int, int]

#: Of casings, and of letters on bright tags. RGB.
DARK: Colour = (20, 20, 20)
_WHITE: Colour = (255, 255, 255)

#: Tags never cover more than this share of the picture.
_TAG_SHARE = 1 / 8
#: A place that hides more than this share of a box is refused while the tag can be shortened.
_HIDDEN_SHARE = 0.5
#: Smallest text in pixels; below it letters run together.
_LEAST_TEXT = 9
#: Longest type name written on a tag, in characters.
_LONGEST_NAME = 24


def ink(fill: Colour) -> Colour:
    """Black or white, whichever is easier to read on `fill`."""
    red, green, blue = ((channel / 255) ** 2.2 for channel in fill)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    # Where the contrast ratios of WCAG with black and with white are equal.
    return DARK if luminance > 0.179 else _WHITE


@lru_cache(maxsize=64)
def ramp(start: tuple[float, ...], end: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """Table for ``cv2.LUT`` that maps 0 to `start`, 255 to `end`, and between evenly."""
    table = np.rint(np.linspace(start, end, 256)).astype(np.uint8)[None]
    table.flags.writeable = False  # it is shared
    return table


@dataclass(frozen=True)
class Tag:
    """A label and its place.

    Attributes
    ----------
    text, size
        What is written, and how large.
    box
        ``(x, y, w, h)`` in the picture; always inside it.
    """

    text: str
    size: int
    box: Box


# Text ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _font(size: int) -> FreeTypeFont | ImageFont:
    """DejaVu Sans, which knows most alphabets; matplotlib brings it, and is not imported."""
    from PIL import ImageFont

    spec = find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if path.is_file():  # some Linux distributions keep it elsewhere
            # Without Raqm, which not every Pillow has: a picture looks the same on every machine.
            return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _can_write(character: str) -> bool:
    """Whether a tag shows `character` as it is meant to be read."""
    if not character.isprintable() or bidirectional(character) in ("R", "AL"):
        return False  # letters that run from right to left would come out in the wrong order
    # A letter the font does not know is a hollow box, which tells a reader nothing.
    font = _font(16)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


def _tag_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of a tag."""
    return math.ceil(_font(size).getlength(text)) + 2 * _padding(size), round(1.4 * size)


def _padding(size: int) -> int:
    return max(2, round(0.35 * size))


def stamp(tag: Tag, fill: Colour, rim: int) -> npt.NDArray[np.uint8]:
    """Picture of a tag, ``(h, w, 3)`` uint8."""
    from PIL import Image, ImageDraw

    _, _, w, h = tag.box
    paper = Image.new("L", (w, h), 0)
    # "ls": on the base line, which is the same for every text; letters are centred by eye.
    ImageDraw.Draw(paper).text(
        (_padding(tag.size), round(0.5 * h + 0.36 * tag.size)),
        tag.text,
        255,
        _font(tag.size),
        anchor="ls",
    )
    grey = cv2.cvtColor(np.asarray(paper), cv2.COLOR_GRAY2RGB)
    picture = np.asarray(cv2.LUT(grey, ramp(fill, ink(fill))), np.uint8)
    cv2.rectangle(picture, (0, 0), (w - 1, h - 1), DARK, rim)
    return picture


# Where tags go ------------------------------------------------------------------------------------


def place_tags(
    anomalies: Sequence[Anomaly],
    outer: Sequence[Box],
    height: int,
    width: int,
    size: int,
) -> list[tuple[int, Tag]]:
    """Texts and places of the tags in a picture of `height` x `width`.

    All tags together may cover an eighth of the picture. Where "1 scratch · minor" for all would
    cover more, it is "1 scratch" for all, then "1", then a smaller "1". A tag that finds no place
    free of other tags is shortened by itself, and left out when its number finds none either. The
    first anomalies choose first.

    Parameters
    ----------
    anomalies
        What to label.
    outer
        ``(x, y, w, h)`` of what is drawn of each, box line included.
    height, width
        Of the picture.
    size
        Of the letters, in pixels.

    Returns
    -------
    list of (int, Tag)
        Each tag with the index of its anomaly.
    """
    small = max(_LEAST_TEXT, round(0.7 * size))
    forms = [(_full, size), (_name, size), (_number, size), (_number, small)]
    budget = _TAG_SHARE * height * width
    while len(forms) > 1 and not _fits(anomalies, forms[0], budget):
        del forms[0]
    space = _Space(height, width, cell=max(1, size // 4))
    for box in outer:
        space.add_box(box)
    placed = []
    for index, (anomaly, box) in enumerate(zip(anomalies, outer, strict=True)):
        tag = _place(anomaly, box, forms, space, budget)
        if tag is not None:
            placed.append((index, tag))
            budget -= tag.box[2] * tag.box[3]
    return placed


def _full(anomaly: Anomaly) -> str:
    return f"{_name(anomaly)} \u00b7 {anomaly.severity}"


def _name(anomaly: Anomaly) -> str:
    name = anomaly.type
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "\u2026"
    # A name the font cannot write stands in the table, which browsers set in their own fonts.
    return f"{anomaly.number} {name}" if all(map(_can_write, name)) else _number(anomaly)


def _number(anomaly: Anomaly) -> str:
    return str(anomaly.number)


_Form: TypeAlias = tuple[Callable[["Anomaly"], str], int]


def _fits(anomalies: Iterable[Anomaly], form: _Form, budget: float) -> bool:
    text, size = form
    for anomaly in anomalies:
        w, h = _tag_size(text(anomaly), size)
        budget -= w * h
        if budget < 0:  # found out early when there are hundreds
            return False
    return True


def _place(
    anomaly: Anomaly, outer: Box, forms: Sequence[_Form], space: _Space, budget: float
) -> Tag | None:
    """Find the longest tag that has a place; None when none has."""
    for position, (text, size) in enumerate(forms):
        label = text(anomaly)
        w, h = _tag_size(label, size)
        if w > space.width or h > space.height or w * h > budget:
            continue
        can_shorten = position < len(forms) - 1
        place = space.best(outer, w, h, _HIDDEN_SHARE if can_shorten else math.inf)
        if place is not None:
            space.add_tag((*place, w, h))
            return Tag(label, size, (*place, w, h))
    return None


class _Space:
    """What is where, on a coarse grid: a look costs the same however many anomalies there are."""

    def __init__(self, height: int, width: int, cell: int) -> None:
        self.height, self.width, self._cell = height, width, cell
        shape = (height // cell + 1, width // cell + 1)
        self._taken = np.zeros(shape, np.bool_)
        # Summed over a rectangle: the shares of all boxes the rectangle hides.
        self._boxes = np.zeros(shape, np.float32)

    def _touched(self, box: Box) -> tuple[slice, slice]:
        x, y, w, h = box
        cell = self._cell
        return slice(y // cell, -(-(y + h) // cell)), slice(x // cell, -(-(x + w) // cell))

    def _covered(self, box: Box) -> tuple[slice, slice]:
        x, y, w, h = box
        cell = self._cell
        return slice(-(-y // cell), (y + h) // cell), slice(-(-x // cell), (x + w) // cell)

    def add_box(self, box: Box) -> None:
        cells = self._boxes[self._touched(box)]
        cells += 1 / cells.size

    def add_tag(self, box: Box) -> None:
        self._taken[self._touched(box)] = True

    def best(self, outer: Box, w: int, h: int, limit: float) -> tuple[int, int] | None:
        """Left and top of the best free place for a `w` x `h` tag beside a box, or None.

        Parameters
        ----------
        outer
            ``(x, y, w, h)`` of the box with its line.
        limit
            Share of a box that may be hidden.
        """
        best, least = None, limit
        for left, top in _places(outer, w, h):
            x = min(max(left, 0), self.width - w)
            y = min(max(top, 0), self.height - h)
            if self._taken[self._touched((x, y, w, h))].any():
                continue
            # Cells that a tag only touches don't count, or a tag beside its box would hide it.
            hidden = float(self._boxes[self._covered((x, y, w, h))].sum())
            if hidden < least:
                best, least = (x, y), hidden
            if not hidden:
                break
        return best


def _places(outer: Box, w: int, h: int) -> Iterator[tuple[int, int]]:
    """Places beside a box, the best-looking first; they may lie outside the picture."""
    left, top, right, bottom = outer[0], outer[1], outer[0] + outer[2], outer[1] + outer[3]
    yield left, top - h
    yield left, bottom
    yield right - w, top - h
    yield right - w, bottom
    yield right, top
    yield left - w, top
    yield right, bottom - h
    yield left - w, bottom - h
    yield left, top
    yield right - w, bottom - h
