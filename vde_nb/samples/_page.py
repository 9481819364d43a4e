"""A screen to paint on: flat colours, crisp letters and smoothed edges, as a browser draws them.

Pages think in pixels of the finished picture and are drawn at that size, because that is what a
screenshot is: no lens, no light, no grain. As `_paint.Canvas` does, a page extends `MARGIN` pixels
beyond each border, so that a shifted picture shows real content.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ._noise import Array
from ._paint import MARGIN, Point, typeface

__all__ = ["PLAIN", "Page", "Paint", "Rendering", "rgb"]

Paint: TypeAlias = "str | Array"

# Samples per pixel and direction from which the coverage of a pixel is counted. Letters, too, are
# drawn that large: whatever a version of FreeType does to small ones is no concern of ours.
_SUPER = 8


@dataclass(frozen=True)
class Rendering:
    """How a machine smooths edges.

    Attributes
    ----------
    phase : float
        Where between two pixels letters and curves begin, 0 to 1.
    contrast : float
        Exponent of the coverage of letters: below 1 they look bolder, above thinner.
    """

    phase: float = 0.0
    contrast: float = 1.0


PLAIN = Rendering()


def rgb(colour: Paint) -> Array:
    """Turn ``"#rrggbb"`` into grey levels, shape (3,); arrays are taken as grey levels."""
    if not isinstance(colour, str):
        return colour
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)


class Page:
    """A picture that is painted on as a browser does.

    Parameters
    ----------
    width, height : int
        Size of the finished picture in pixels.
    colour : str
        Colour of the empty page.
    rendering : Rendering
        How edges are smoothed.

    Attributes
    ----------
    pixels : ndarray of float32, shape (height + 2 * MARGIN, width + 2 * MARGIN, 3)
        Grey levels, 0 to 255.
    """

    def __init__(
        self, width: int, height: int, colour: str = "#ffffff", rendering: Rendering = PLAIN
    ) -> None:
        self.rendering = rendering
        self.pixels = np.empty((height + 2 * MARGIN, width + 2 * MARGIN, 3), np.float32)
        self.pixels[:] = rgb(colour)

    def picture(self) -> npt.NDArray[np.uint8]:
        """Return what is painted, margins included."""
        return np.rint(np.clip(self.pixels, 0, 255)).astype(np.uint8)

    # -- boxes, on whole pixels --------------------------------------------------------------

    def box(self, x: int, y: int, w: int, h: int, colour: Paint, opacity: float = 1.0) -> None:
        """Fill a rectangle whose edges lie between pixels, so that nothing is smoothed."""
        under = self.pixels[self._span(y, h, 0), self._span(x, w, 1)]
        under += (rgb(colour) - under) * np.float32(opacity)

    def _span(self, start: int, length: int, axis: int) -> slice:
        count = self.pixels.shape[axis]
        low, high = start + MARGIN, start + length + MARGIN
        return slice(min(max(low, 0), count), min(max(high, 0), count))

    # -- shapes, smoothed --------------------------------------------------------------------

    def shape(
        self, *outlines: Sequence[Point] | Array, colour: Paint, opacity: float = 1.0
    ) -> None:
        """Fill polygons; where one lies in another there is a hole."""
        # Curves are placed on a finer grid than letters.
        self._fill(outlines, self.rendering.phase / 2, colour, opacity)

    def _fill(
        self,
        outlines: Sequence[Sequence[Point] | Array],
        step: float,
        colour: Paint,
        opacity: float,
    ) -> None:
        every = [np.asarray(one, np.float64).reshape(-1, 2) + MARGIN + step for one in outlines]
        points = np.concatenate(every)
        left, top = (math.floor(v) - 1 for v in points.min(axis=0))
        right, bottom = (math.ceil(v) + 1 for v in points.max(axis=0))
        fine = np.zeros(((bottom - top) * _SUPER, (right - left) * _SUPER), np.uint8)
        # fillPoly takes pixel centres, and fills the pixels under the outline, too.
        sub = [np.rint(((one - (left, top)) * _SUPER - 0.5) * 16).astype(np.int32) for one in every]
        cv2.fillPoly(fine, sub, (255,), cv2.LINE_8, 4)
        cover = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        self._blend(top, left, cover.astype(np.float32) / 255, colour, opacity)

    def round(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        corner: float,
        colour: Paint,
        opacity: float = 1.0,
        border: float = 0.0,
    ) -> None:
        """Fill a rectangle with round corners; with a `border`, paint that ring alone."""
        outlines = [_rounded(x, y, w, h, corner)]
        if border:
            inner = x + border, y + border, w - 2 * border, h - 2 * border
            outlines.append(_rounded(*inner, max(corner - border, 0.1)))
        self._fill(outlines, 0.0, colour, opacity)  # edges between pixels stay there

    def disc(
        self,
        x: float,
        y: float,
        r: float,
        colour: Paint,
        opacity: float = 1.0,
        ring: float = 0.0,
    ) -> None:
        """Fill a circle about ``(x, y)``; with a `ring`, paint that width of its rim alone."""
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        outlines = [circle * r + (x, y)]
        if ring:
            outlines.append(circle * (r - ring) + (x, y))
        self.shape(*outlines, colour=colour, opacity=opacity)

    def line(
        self, points: Sequence[Point] | Array, width: float, colour: Paint, opacity: float = 1.0
    ) -> None:
        """Draw an open line with round joints."""
        path = np.asarray(points, np.float64) + MARGIN + self.rendering.phase / 2
        reach = width / 2 + 1
        left, top = (math.floor(v - reach) for v in path.min(axis=0))
        right, bottom = (math.ceil(v + reach) for v in path.max(axis=0))
        y, x = (axis + 0.5 for axis in np.mgrid[top:bottom, left:right])
        far = np.full(x.shape, np.inf)
        for (ax, ay), (bx, by) in pairwise(path):
            dx, dy = bx - ax, by - ay
            share = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx**2 + dy**2, 1e-9), 0, 1)
            np.minimum(far, np.hypot(x - ax - share * dx, y - ay - share * dy), out=far)
        self._blend(top, left, np.clip(width / 2 + 0.5 - far, 0, 1), colour, opacity)

    def fade(self, x: int, y: int, w: int, h: int, top: Paint, bottom: Paint) -> None:
        """Fill a rectangle with a gradient from above to below."""
        share = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        inside = self.pixels[self._span(y, h, 0), self._span(x, w, 1)]
        inside[:] = rgb(top) + (rgb(bottom) - rgb(top)) * share

    def shadow(self, x: int, y: int, w: int, h: int, soft: float, depth: float) -> None:
        """Darken softly around a box that is painted later."""
        pad = math.ceil(3 * soft)
        cover = np.zeros((h + 2 * pad, w + 2 * pad), np.float32)
        cover[pad:-pad, pad:-pad] = 1
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), soft), np.float32)
        self._blend(y - pad + MARGIN, x - pad + MARGIN, cover, "#1d2b36", depth)

    # -- letters -----------------------------------------------------------------------------

    def text(
        self,
        text: str,
        x: float,
        y: float,
        size: int,
        colour: Paint,
        font: str = "DejaVuSans",
        align: str = "left",
        opacity: float = 1.0,
    ) -> None:
        """Write one line whose baseline is at `y`.

        Parameters
        ----------
        text : str
            The letters.
        x, y : float
            Left end (or middle, or right end, by `align`) and baseline.
        size : int
            Height of the type in pixels.
        colour : str or ndarray
            Colour.
        font : str
            One of matplotlib's; without it, Pillow's own.
        align : {"left", "middle", "right"}
            What of the line lies at `x`.
        opacity : float
            0 to 1.
        """
        length = typeface(font, size * _SUPER).getlength(text) / _SUPER
        x -= {"left": 0.0, "middle": length / 2, "right": length}[align]
        start = x + MARGIN + self.rendering.phase
        left = math.floor(start) - 2
        levels = _written(text, font, size, round((start - left) * _SUPER))
        room = levels.shape[0] // 2
        cover = (levels.astype(np.float32) / 255) ** np.float32(self.rendering.contrast)
        self._blend(round(y) + MARGIN - room, left, cover, colour, opacity)

    def _blend(self, top: int, left: int, cover: Array, colour: Paint, opacity: float) -> None:
        """Mix a colour into the pixels by coverage, clipped to the page."""
        rows, columns = self.pixels.shape[:2]
        up, near = max(-top, 0), max(-left, 0)
        cover = cover[up : max(rows - top, 0), near : max(columns - left, 0)]
        height, width = cover.shape
        under = self.pixels[max(top, 0) :, max(left, 0) :][:height, :width]
        weight = np.asarray(cover[..., None] * opacity, np.float32)
        under += (rgb(colour) - under) * weight


@functools.lru_cache(maxsize=512)
def _written(text: str, font: str, size: int, start: int) -> npt.NDArray[np.uint8]:
    """Return the coverage of a line that starts at `start`, its baseline in the middle row.

    Small letters are stretched to a whole number of pixels, as hinting does: crisp above and
    below, while their sides lie wherever the line takes them.
    """
    face = typeface(font, size * _SUPER)
    _, top, _, bottom = face.getbbox("x", anchor="ls")
    room = size + 2
    fine = round((bottom - top) / max(round((bottom - top) / _SUPER), 1) * room)
    wide = math.ceil(face.getlength(text) / _SUPER) + 6
    image = Image.new("L", (wide * _SUPER, 2 * fine))
    ImageDraw.Draw(image).text((start, fine), text, fill=255, font=face, anchor="ls")
    cover = cv2.resize(np.asarray(image), (wide, 2 * room), interpolation=cv2.INTER_AREA)
    return np.asarray(cover, np.uint8)


def _rounded(x: float, y: float, w: float, h: float, corner: float) -> Array:
    """Return the outline of a rectangle with round corners."""
    r = min(corner, w / 2, h / 2)
    bend = np.linspace(0, np.pi / 2, 9)
    parts = [
        np.stack([cx + r * np.cos(bend + turn), cy + r * np.sin(bend + turn)], axis=1)
        for cx, cy, turn in (
            (x + w - r, y + h - r, 0.0),
            (x + r, y + h - r, np.pi / 2),
            (x + r, y + r, np.pi),
            (x + w - r, y + r, 1.5 * np.pi),
        )
    ]
    return np.asarray(np.concatenate(parts), np.float32)
