"""Drawing anomalies into a picture: tints, outlines, boxes and numbered tags.

Nothing is done to the whole picture: 12 megapixels cost one copy and what the anomalies cover.
Line widths and text grow with the picture: a photograph that a notebook shows at a quarter of its
size is as legible as a thumbnail shown as it is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._tags import DARK, Colour, place_tags, ramp, stamp
from vde_nb.detect import Box
from vde_nb.methods.base import ENVIRONMENTAL

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = [
    "ENVIRONMENTAL",
    "SEVERITY_COLOURS",
    "Style",
    "by_severity",
    "by_type",
    "draw",
    "draw_reduced",
    "reduce_anomaly",
    "reduce_map",
    "reduce_picture",
    "type_colour",
]

UInt8: TypeAlias = npt.NDArray[np.uint8]

#: From Okabe and Ito's palette, which people with any colour vision can tell apart. RGB.
SEVERITY_COLOURS: Mapping[str, Colour] = {
    "minor": (86, 180, 233),
    "moderate": (230, 159, 0),
    "major": (213, 94, 0),
}

#: The same palette with light grey for its black, which no dark picture would show.
_TYPE_COLOURS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (200, 200, 200),
)

#: What is taken for a shadow or a reflection has a colour of its own, and is hatched.
_ENVIRONMENTAL_COLOUR: Colour = (153, 142, 195)

#: Pixels that are tinted, or reduced, in one go.
_BAND = 2_000_000

#: Start of the checksum that picks a type's colour; with this one the built-in types differ.
_SEED = 37


def type_colour(name: str) -> Colour:
    """RGB colour of an anomaly type: one of eight, the same for a name wherever it is drawn.

    ``"environmental"`` has a ninth to itself.

    >>> type_colour("scratch") == type_colour("scratch")
    True
    """
    if name == ENVIRONMENTAL:
        return _ENVIRONMENTAL_COLOUR
    # Not hash(), which differs from process to process.
    checksum = zlib.crc32(name.encode("utf-8", "replace"), _SEED)
    return _TYPE_COLOURS[checksum % len(_TYPE_COLOURS)]


def by_severity(anomaly: Anomaly) -> Colour:
    """Colour of an anomaly by how bad it is."""
    return SEVERITY_COLOURS[anomaly.severity]


def by_type(anomaly: Anomaly) -> Colour:
    """Colour of an anomaly by its type."""
    return type_colour(anomaly.type)


@dataclass(frozen=True)
class Style:
    """Widths and sizes in pixels, made for one size of picture.

    Attributes
    ----------
    text
        Size of the letters.
    outline, box
        Width of the line around the region and of its box.
    casing
        Width of the dark rim on either side of the outline.
    gap
        Distance from the region to the middle of the box's line.
    """

    text: int
    outline: int
    box: int
    casing: int
    gap: int

    @classmethod
    def of(cls, height: int, width: int) -> Style:
        """Make the style for a picture of `height` x `width`."""
        text = round(6 + 0.0125 * math.sqrt(height * width))
        text = max(10, min(text, min(height, width) // 4))  # the second for long, thin strips
        outline, box, casing = max(1, text // 8), max(1, text // 14), max(1, text // 24)
        return cls(text, outline, box, casing, gap=outline + casing + box)

    @property
    def margin(self) -> int:
        """How far lines reach out of an anomaly's box."""
        return self.gap + self.box // 2


def draw(
    picture: UInt8,
    anomalies: Sequence[Anomaly],
    colour_of: Callable[[Anomaly], Colour],
    *,
    opacity: float = 0.2,
    outlines: bool = True,
    boxes: bool = True,
    labels: bool = True,
) -> None:
    """Draw `anomalies` into `picture`, ``(H, W, 3)`` uint8, in place; the first on top.

    The options are those of :func:`vde_nb.figure.annotated`.
    """
    height, width = picture.shape[:2]
    style = Style.of(height, width)
    frames = [_frame(anomaly.box, style, height, width) for anomaly in anomalies]
    borders = [_borders(anomaly, style) if outlines else [] for anomaly in anomalies]
    colours = [colour_of(anomaly) for anomaly in anomalies]
    below_first = range(len(anomalies) - 1, -1, -1)
    if opacity:
        for i in below_first:
            _tint(picture, anomalies[i], colours[i], opacity, style)
    # All dark casings come before any line: a neighbour's casing must not cut a line.
    for rim in (2 * style.casing, 0):
        for i in below_first:
            colour = DARK if rim else colours[i]
            cv2.drawContours(picture, borders[i], -1, colour, style.outline + rim, cv2.LINE_AA)
    if boxes:
        for i in below_first:
            x, y, w, h = frames[i]
            cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), colours[i], style.box)
    if labels:
        half = style.box // 2
        outer = [(x - half, y - half, w + 2 * half, h + 2 * half) for x, y, w, h in frames]
        for i, tag in place_tags(anomalies, outer, height, width, style.text):
            x, y, w, h = tag.box
            picture[y : y + h, x : x + w] = stamp(tag, colours[i], style.casing)


def _tint(picture: UInt8, anomaly: Anomaly, colour: Colour, opacity: float, style: Style) -> None:
    x, y, w, h = anomaly.box
    hatched = anomaly.type == ENVIRONMENTAL
    if hatched:
        opacity = min(1.0, 2 * opacity)
    # Every value has one blend with `colour`, so a table of 256 does, and no array full of it.
    share = [opacity * channel for channel in colour]
    table = ramp(tuple(share), tuple(255 * (1 - opacity) + part for part in share))
    rows = max(1, _BAND // w)  # a region may be as large as the picture
    for first in range(0, h, rows):
        mask = anomaly.outline[first : first + rows]
        if hatched:
            mask = mask & _stripes((x, y + first, w, len(mask)), style)
        crop = picture[y + first : y + first + len(mask), x : x + w]
        cv2.copyTo(cv2.LUT(crop, table), mask.view(np.uint8), crop)


def _stripes(box: Box, style: Style) -> npt.NDArray[np.bool_]:
    """Slanted stripes in a box, which join up with those of its neighbours."""
    x, y, w, h = box
    width = max(2, style.text // 5)
    place = np.arange(x, x + w)[None] + np.arange(y, y + h)[:, None]
    return np.asarray(place // width % 3 == 0)


def _borders(anomaly: Anomaly, style: Style) -> list[npt.NDArray[np.int32]]:
    """Borders of the region and of its holes, as points ``(x, y)`` in the picture."""
    contours, _ = cv2.findContours(
        anomaly.outline.view(np.uint8),
        cv2.RETR_LIST,
        cv2.CHAIN_APPROX_SIMPLE,
        offset=anomaly.box[:2],
    )
    # Steps of single pixels are lost in a thick line, but each costs a polygon to draw.
    return [
        np.asarray(cv2.approxPolyDP(line, style.outline / 4, True), np.int32) for line in contours
    ]


def _frame(box: Box, style: Style, height: int, width: int) -> Box:
    """``(x, y, w, h)`` of the middle of the box's line, moved into the picture where it must."""
    x, y, w, h = box
    half = style.box // 2
    left, top = max(x - style.gap, half), max(y - style.gap, half)
    right = min(x + w - 1 + style.gap, width - 1 - half)
    bottom = min(y + h - 1 + style.gap, height - 1 - half)
    return left, top, right - left + 1, bottom - top + 1


# Smaller pictures ---------------------------------------------------------------------------------


def draw_reduced(
    comparison: Comparison, colour_of: Callable[[Anomaly], Colour], factor: int
) -> tuple[UInt8, UInt8]:
    """Reduce the current picture and draw into a copy; both, reduced by a whole `factor`.

    The anomalies are drawn into the reduced picture, with lines and letters made for its size:
    reducing the annotated picture would blur them.
    """
    current = reduce_picture(comparison.current, factor)
    annotated = current.copy()
    kept = [one for one in comparison.anomalies if one.verdict != "rejected"]
    small = [reduce_anomaly(anomaly, factor) for anomaly in kept]
    draw(annotated, small, colour_of)
    return current, annotated


def reduce_picture(picture: UInt8, factor: int) -> UInt8:
    """Mean of every `factor` x `factor` block of ``(H, W, 3)`` uint8."""
    height, width = (math.ceil(side / factor) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def reduce_map(values: UInt8, factor: int) -> UInt8:
    """Maximum of every `factor` x `factor` block of ``(H, W)`` uint8: a single pixel stays seen.

    Blocks at the right and bottom edge may be smaller.
    """
    height, width = (math.ceil(side / factor) for side in values.shape)
    out = np.empty((height, width), np.uint8)
    step = max(1, _BAND // (values.shape[1] * factor))  # rows of blocks that are made at once
    for first in range(0, height, step):
        part = values[first * factor : (first + step) * factor]
        rows = part[::factor].copy()
        for start in range(1, factor):
            more = part[start::factor]
            np.maximum(rows[: len(more)], more, out=rows[: len(more)])
        blocks = out[first : first + step]
        blocks[...] = rows[:, ::factor]
        for start in range(1, factor):
            more = rows[:, start::factor]
            np.maximum(blocks[:, : more.shape[1]], more, out=blocks[:, : more.shape[1]])
    return out


def reduce_anomaly(anomaly: Anomaly, factor: int) -> Anomaly:
    """`anomaly` as it lies in a picture reduced by `factor`."""
    x, y, w, h = anomaly.box
    left, top = x // factor, y // factor
    # Blocks are those of the picture: the outline is moved to where it lies in its first block.
    moved = np.zeros((y + h - top * factor, x + w - left * factor), np.uint8)
    moved[-h:, -w:] = anomaly.outline
    outline = reduce_map(moved, factor).view(np.bool_)
    rows, columns = outline.shape
    height, width = (math.ceil(side / factor) for side in anomaly.shape)
    return replace(anomaly, box=(left, top, columns, rows), outline=outline, shape=(height, width))
