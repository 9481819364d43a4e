"""The canvas a scene is painted on: colour, relief, gloss and light, at twice the final size.

Scenes think in pixels of the finished picture, ``(x, y)`` from its top left corner. The canvas
extends `MARGIN` of these pixels beyond each border, so that a moved camera sees real content, and
has `FINE` canvas pixels to each of them, so that every edge ends up anti-aliased.
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ._noise import Array

__all__ = ["FINE", "MARGIN", "Canvas", "Colour", "Point", "Stamp", "ink", "text_width", "typeface"]

FINE = 2
MARGIN = 16

Point: TypeAlias = tuple[float, float]
Colour: TypeAlias = str | Array


def ink(colour: Colour) -> Array:
    """Turn ``"#rrggbb"`` into linear light, shape (3, 1, 1); arrays are taken as linear light."""
    if not isinstance(colour, str):
        return colour
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.asarray(value * value, np.float32)[:, None, None]


@dataclass(frozen=True, eq=False)
class Stamp:
    """A soft-edged shape somewhere on a canvas.

    Attributes
    ----------
    top, left : int
        Canvas position of the first pixel.
    alpha : ndarray of float32, shape (rows, columns)
        Coverage, 0 to 1.
    """

    top: int
    left: int
    alpha: Array

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas under the stamp."""
        rows, columns = self.alpha.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)

    def across(self) -> Array:
        """Return horizontal position inside the stamp, 0 at its left to 1, shape (1, columns)."""
        return _ramp(self.alpha.shape[1])[None, :]

    def down(self) -> Array:
        """Return vertical position inside the stamp, 0 at its top to 1, shape (rows, 1)."""
        return _ramp(self.alpha.shape[0])[:, None]

    def alpha_like(self, other: Stamp) -> Array:
        """Return the coverage of this stamp under the pixels of another one."""
        out = np.zeros(other.alpha.shape, np.float32)
        dy, dx = self.top - other.top, self.left - other.left
        rows, columns = self.alpha.shape
        inner = self.alpha[max(-dy, 0) :, max(-dx, 0) :]
        room = out[max(dy, 0) : max(dy + rows, 0), max(dx, 0) : max(dx + columns, 0)]
        room[:] = inner[: room.shape[0], : room.shape[1]]
        return out

    def times(self, field: Array) -> Stamp:
        """Return the same stamp with its coverage multiplied by `field` (0 to 1)."""
        return Stamp(self.top, self.left, np.asarray(self.alpha * field, np.float32))


class Canvas:
    """Layers of a scene, each of the shape of the canvas.

    Parameters
    ----------
    width, height : int
        Size of the finished picture in pixels.
    colour : str
        Colour of the empty canvas.

    Attributes
    ----------
    albedo : ndarray of float32, shape (3, rows, columns)
        Red, green and blue in linear light, 0 to 1. Planes, because most textures are one field
        that acts on all three.
    relief : ndarray of float32
        Height above the paper in canvas pixels; its slope is what catches the light.
    gloss : ndarray of float32
        Strength of the highlights, 0 for matt.
    light : ndarray of float32
        What arrives of the light, 1 in the open, less in shadows.
    """

    def __init__(self, width: int, height: int, colour: str = "#808080") -> None:
        self.width, self.height = width, height
        rows, columns = (height + 2 * MARGIN) * FINE, (width + 2 * MARGIN) * FINE
        self.shape = rows, columns
        self.albedo = np.empty((3, rows, columns), np.float32)
        self.albedo[:] = ink(colour)
        self.relief = np.zeros(self.shape, np.float32)
        self.gloss = np.zeros(self.shape, np.float32)
        self.light = np.ones(self.shape, np.float32)

    def copy(self) -> Canvas:
        """Return a canvas with copies of all layers."""
        twin = copy.copy(self)
        twin.albedo, twin.relief = self.albedo.copy(), self.relief.copy()
        twin.gloss, twin.light = self.gloss.copy(), self.light.copy()
        return twin

    # -- coordinates -------------------------------------------------------------------------

    def x(self) -> Array:
        """Return the x of every canvas column in picture pixels, shape (1, columns)."""
        return (np.arange(self.shape[1], dtype=np.float32)[None, :] + 0.5) / FINE - MARGIN

    def y(self) -> Array:
        """Return the y of every canvas row in picture pixels, shape (rows, 1)."""
        return (np.arange(self.shape[0], dtype=np.float32)[:, None] + 0.5) / FINE - MARGIN

    def _frame(self, points: Array, pad: int) -> tuple[int, int, int, int]:
        """Return top, left, bottom, right around canvas `points`, clipped to the canvas."""
        rows, columns = self.shape
        x0, y0 = points.min(axis=0).tolist()
        x1, y1 = points.max(axis=0).tolist()
        left = min(max(math.floor(x0) - pad, 0), columns)
        right = min(max(math.ceil(x1) + pad + 1, 0), columns)
        top = min(max(math.floor(y0) - pad, 0), rows)
        bottom = min(max(math.ceil(y1) + pad + 1, 0), rows)
        return top, left, bottom, right

    @staticmethod
    def _fine(points: Sequence[Point] | Array) -> Array:
        """Picture coordinates to canvas coordinates (centres of pixels at whole numbers)."""
        return (np.asarray(points, np.float32).reshape(-1, 2) + MARGIN) * FINE - 0.5

    # -- shapes ------------------------------------------------------------------------------

    def polygon(self, points: Sequence[Point] | Array, soft: float = 0.0) -> Stamp:
        """Return a filled polygon; `soft` blurs its edge, in picture pixels."""
        fine = self._fine(points)
        top, left, bottom, right = self._frame(fine, 2 + math.ceil(3 * soft * FINE))
        alpha = np.zeros((bottom - top, right - left), np.uint8)
        if alpha.size:
            sub = np.rint((fine - (left, top)) * 16).astype(np.int32)
            cv2.fillPoly(alpha, [sub], (255,), cv2.LINE_AA, 4)
        return self._finish(top, left, alpha, soft)

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        angle: float = 0.0,
        soft: float = 0.0,
    ) -> Stamp:
        """Return a filled ellipse; `angle` in degrees, clockwise."""
        outline = _CIRCLE * (rx, rx if ry is None else ry)
        return self.polygon(np.add(_rotated(outline, angle), (x, y)), soft)

    def rect(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        corner: float = 0.0,
        angle: float = 0.0,
        soft: float = 0.0,
    ) -> Stamp:
        """Return a rectangle with rounded corners, turned about its centre by `angle` degrees."""
        r = min(corner, w / 2, h / 2)
        bend = np.linspace(0, np.pi / 2, 7 if r > 0.5 else 1)
        parts = (
            [
                np.stack([cx + r * np.cos(bend + a), cy + r * np.sin(bend + a)], axis=1)
                for cx, cy, a in (
                    (w / 2 - r, h / 2 - r, 0.0),
                    (r - w / 2, h / 2 - r, np.pi / 2),
                    (r - w / 2, r - h / 2, np.pi),
                    (w / 2 - r, r - h / 2, 1.5 * np.pi),
                )
            ]
            if r > 0.5
            else [np.array([(w, h), (-w, h), (-w, -h), (w, -h)]) / 2]
        )
        outline = np.concatenate(parts)
        return self.polygon(np.add(_rotated(outline, angle), (x + w / 2, y + h / 2)), soft)

    def stroke(
        self,
        points: Sequence[Point] | Array,
        width: float | Sequence[float] | Array,
        soft: float = 0.0,
    ) -> Stamp:
        """Return an open line; one `width` per point lets it swell and taper."""
        fine = self._fine(points)
        widths = np.broadcast_to(np.asarray(width, np.float32), (len(fine),))
        pad = 2 + math.ceil(float(widths.max()) * FINE + 3 * soft * FINE)
        top, left, bottom, right = self._frame(fine, pad)
        alpha = np.zeros((bottom - top, right - left), np.uint8)
        sub = np.rint((fine - (left, top)) * 16).astype(np.int32)
        thick = np.maximum(np.rint(widths * FINE), 1).astype(int)
        if alpha.size and thick.min() == thick.max():
            cv2.polylines(alpha, [sub], False, (255,), int(thick[0]), cv2.LINE_AA, 4)
        elif alpha.size:
            for a, b, t in zip(sub[:-1], sub[1:], thick[1:], strict=True):
                cv2.polylines(alpha, [np.stack([a, b])], False, (255,), int(t), cv2.LINE_AA, 4)
        return self._finish(top, left, alpha, soft)

    def text(
        self,
        text: str,
        x: float,
        y: float,
        h: float,
        w: float | None = None,
        font: str = "DejaVuSans-Bold",
        angle: float = 0.0,
    ) -> Stamp:
        """Return letters `h` high (capitals) whose top left corner is ``(x, y)``.

        A given `w` is met exactly, whatever the font: truth boxes rely on it. The turn by `angle`
        degrees is about the centre of the capitals.
        """
        small, rise = _lettered(text, font, h * FINE, None if w is None else w * FINE)
        size = small.shape[::-1]
        cx, cy = self._fine([(x, y)])[0]
        middle = np.array([size[0] / 2 - 0.5, rise + h * FINE / 2 - 0.5])
        target = np.array([cx + size[0] / 2, cy + h * FINE / 2])
        corners = np.array([(0, 0), (size[0], 0), (size[0], size[1]), (0, size[1])]) - middle
        top, left, bottom, right = self._frame(
            np.asarray(_rotated(corners, angle) + target, np.float32), 2
        )
        turn = _rotated(np.eye(2), angle).T
        shift = target - (left, top) - turn @ middle
        if bottom <= top or right <= left:
            return Stamp(
                top, left, np.zeros((max(bottom - top, 0), max(right - left, 0)), np.float32)
            )
        alpha = cv2.warpAffine(small, np.column_stack([turn, shift]), (right - left, bottom - top))
        return Stamp(top, left, np.asarray(alpha, np.float32))

    def _finish(
        self,
        top: int,
        left: int,
        mask: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
        soft: float,
    ) -> Stamp:
        alpha = mask.astype(np.float32) / 255
        if soft and alpha.size:
            alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), soft * FINE), np.float32)
        return Stamp(top, left, alpha)

    # -- paint -------------------------------------------------------------------------------

    def fill(
        self,
        stamp: Stamp,
        colour: Colour | None = None,
        opacity: float = 1.0,
        gloss: float | None = None,
        raised: float | Array = 0.0,
        lit: bool = False,
        solid: bool = False,
    ) -> None:
        """Lay a stamp on the canvas.

        Parameters
        ----------
        stamp : Stamp
            Where, and how much of it.
        colour : str or ndarray, optional
            One colour, or linear light that broadcasts to (3, rows, columns) of the stamp.
        opacity : float
            0 to 1, for colour and gloss.
        gloss : float, optional
            New gloss.
        raised : float or ndarray
            Added to the relief, in canvas pixels.
        lit : bool
            Take the shadows of other things away where this one covers them.
        solid : bool
            As `lit`, and the relief below is hidden too: `raised` is counted from the ground.
        """
        window, alpha = stamp.window, stamp.alpha
        weight = alpha if opacity == 1 else alpha * np.float32(opacity)
        if colour is not None:
            under = self.albedo[:, window[0], window[1]]
            under += (ink(colour) - under) * weight
        if gloss is not None:
            shine = self.gloss[window]
            shine += (np.float32(gloss) - shine) * weight
        if solid:
            self.relief[window] *= 1 - alpha
        if not isinstance(raised, float) or raised:
            self.relief[window] += np.asarray(raised * alpha, np.float32)
        if lit or solid:
            shade = self.light[window]
            shade += (1 - shade) * alpha

    def multiply(self, stamp: Stamp, factor: Colour, amount: float = 1.0) -> None:
        """Tint what lies under the stamp, as a transparent stain does."""
        rows, columns = stamp.window
        under = self.albedo[:, rows, columns]
        under *= 1 + (ink(factor) - 1) * (stamp.alpha * np.float32(amount))

    def shadow(self, stamp: Stamp, dx: float, dy: float, soft: float, depth: float) -> Stamp:
        """Darken the light by a soft shadow of the stamp moved by ``(dx, dy)`` picture pixels.

        Returns the shadow itself, for those who want to outline it.
        """
        pad = math.ceil(2.5 * soft * FINE) + 1
        alpha = cv2.copyMakeBorder(stamp.alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT)
        if soft:
            alpha = cv2.GaussianBlur(alpha, (0, 0), soft * FINE)
        top, left = stamp.top - pad + round(dy * FINE), stamp.left - pad + round(dx * FINE)
        rows, columns = self.shape
        alpha = alpha[max(-top, 0) : max(rows - top, 0), max(-left, 0) : max(columns - left, 0)]
        cast = Stamp(max(top, 0), max(left, 0), np.asarray(alpha, np.float32))
        self.light[cast.window] *= 1 - np.float32(depth) * cast.alpha
        return cast


_TURN = np.linspace(0, 2 * np.pi, 56, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def _ramp(count: int) -> Array:
    """Return `count` numbers from 0 to 1."""
    return np.arange(count, dtype=np.float32) / np.float32(max(count - 1, 1))


def _rotated(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]], angle: float) -> Array:
    """Turn points about the origin by `angle` degrees, clockwise as the picture is seen."""
    if not angle:
        return np.asarray(points, np.float32)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.asarray(points @ np.array([[c, s], [-s, c]]), np.float32)


def text_width(text: str, h: float, font: str = "DejaVuSans-Bold") -> float:
    """Width in picture pixels that `Canvas.text` gives to letters `h` high."""
    glyphs, cap, _ = _letters(text, font)
    return float(glyphs.shape[1] * h / cap)


@functools.lru_cache(maxsize=32)
def typeface(name: str, size: int = 72) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return a font of `size` pixels; matplotlib's own are found without importing matplotlib."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf"
        if file.exists():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=256)
def _lettered(text: str, font: str, h: float, w: float | None) -> tuple[Array, float]:
    """Return coverage of letters of a given size in canvas pixels, and the room above them.

    Shrinks with an area filter; what comes after only turns and places.
    """
    glyphs, cap, rise = _letters(text, font)
    scale_y = h / cap
    scale_x = scale_y if w is None else w / glyphs.shape[1]
    size = max(round(glyphs.shape[1] * scale_x), 1), max(round(glyphs.shape[0] * scale_y), 1)
    small = cv2.resize(glyphs, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32), rise * scale_y


@functools.lru_cache(maxsize=256)
def _letters(text: str, font: str) -> tuple[Array, float, float]:
    """Return coverage of large letters, the height of a capital, and the room above it."""
    face = typeface(font)
    left, top, right, bottom = (math.floor(v) for v in face.getbbox(text))
    _, cap_top, _, cap_bottom = face.getbbox("H")
    high, low = min(top, math.floor(cap_top)), max(bottom, math.ceil(cap_bottom))
    image = Image.new("L", (max(right - left, 1), max(low - high, 1)))
    ImageDraw.Draw(image).text((-left, -high), text, fill=255, font=face)
    return np.asarray(image, np.float32) / 255, cap_bottom - cap_top, cap_top - high
