"""From a painted canvas to a photograph: sun, highlights, lens and film."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ._noise import Array
from ._paint import Canvas

__all__ = ["Look", "develop"]

# Reach of blur and slope in canvas pixels, with some room.
_HALO = 10
_STRIP = 96


@dataclass(frozen=True)
class Look:
    """How a scene is lit and taken.

    Attributes
    ----------
    sun : tuple of float
        Where the light comes from: ``(x, y, z)``, x to the right, y down, z towards the camera.
    ambient : float
        Share of the light that comes from everywhere, 0 to 1.
    bump : float
        How strongly relief shows.
    sharpness : int
        Highlights: they shrink as this grows (they are raised to the power 2**sharpness).
    exposure : float
        Brightness of the picture, 1 leaves the painted colours as they are.
    falloff : tuple of float
        Darkening towards the corners, and brightness gained from the shadow side of the picture
        to the side of the lamp.
    tint : tuple of float
        Colour of the light, red, green, blue.
    blur : float
        Defocus in canvas pixels.
    grain : float
        Film grain in grey levels of the canvas; the same before and after.
    """

    sun: tuple[float, float, float] = (-0.45, -0.6, 1.0)
    ambient: float = 0.45
    bump: float = 1.0
    sharpness: int = 4
    exposure: float = 1.0
    falloff: tuple[float, float] = (0.25, 0.12)
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur: float = 0.9
    grain: float = 4.0


def develop(
    canvas: Canvas, look: Look, grain: Array, window: tuple[slice, slice] | None = None
) -> npt.NDArray[np.uint8]:
    """Photograph a canvas, or a window of it.

    Parameters
    ----------
    canvas : Canvas
        The painted scene.
    look : Look
        Light and lens.
    grain : ndarray of float32
        Noise of unit deviation and of the shape of the canvas.
    window : tuple of slice, optional
        Rows and columns to develop; all by default. A window holds the very pixels that the whole
        would hold there.

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 3)
        RGB, at the resolution of the canvas.
    """
    rows, columns = canvas.shape
    across = window[1] if window else slice(0, columns)
    top, bottom = (window[0].start, window[0].stop) if window else (0, rows)
    picture = np.empty((bottom - top, across.stop - across.start, 3), np.uint8)
    # In strips, whose temporaries stay in the processor's cache.
    for start in range(top, bottom, _STRIP):
        stop = min(start + _STRIP, bottom)
        strip = _strip(canvas, look, slice(start, stop), across)
        noise = grain[start:stop, across] * np.float32(look.grain)
        for channel in range(3):
            levels = strip[channel]
            levels += noise
            np.clip(levels, 0, 255, out=levels)
            np.rint(levels, out=levels)
            picture[start - top : stop - top, :, channel] = levels
    return picture


def _strip(canvas: Canvas, look: Look, down: slice, across: slice) -> Array:
    """Return the grey levels of a window, shape (3, rows, columns), before the film's grain."""
    rows, columns = canvas.shape
    top, left = max(down.start - _HALO, 0), max(across.start - _HALO, 0)
    wide = (
        slice(top, min(down.stop + _HALO, rows)),
        slice(left, min(across.stop + _HALO, columns)),
    )
    diffuse, shine = _lit(canvas, look, wide)
    inner = (
        slice(down.start - top, down.stop - top),
        slice(across.start - left, across.stop - left),
    )
    out = np.empty((3, down.stop - down.start, across.stop - across.start), np.float32)
    for channel, tint in enumerate(look.tint):
        colour = canvas.albedo[channel][wide] * diffuse
        colour *= np.float32(tint * look.exposure)
        colour += shine
        if look.blur:
            colour = cv2.GaussianBlur(colour, (0, 0), look.blur)
        out[channel] = _curve(np.asarray(colour, np.float32)[inner])
    return out


def _lit(canvas: Canvas, look: Look, window: tuple[slice, slice]) -> tuple[Array, Array]:
    """Return the diffuse light and the white highlights of a window."""
    relief = canvas.relief[window]
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3, scale=-look.bump / 8)
    slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3, scale=-look.bump / 8)
    length = np.sqrt(slope_x * slope_x + slope_y * slope_y + 1)
    sun = np.array(look.sun, np.float32)
    sun /= np.linalg.norm(sun)
    # Normalised so that a flat surface keeps the colour it was painted with.
    diffuse = (slope_x * (sun[0] / sun[2]) + slope_y * (sun[1] / sun[2]) + 1) / length
    np.maximum(diffuse, 0, out=diffuse)
    diffuse *= np.float32(1 - look.ambient)
    diffuse += np.float32(look.ambient)
    light = canvas.light[window] * _lens(canvas, look, window)
    diffuse *= light
    half = sun + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    shine = (slope_x * half[0] + slope_y * half[1] + half[2]) / length
    np.maximum(shine, 0, out=shine)
    for _ in range(look.sharpness):
        shine *= shine
    shine *= canvas.gloss[window]
    shine *= light
    return np.asarray(diffuse, np.float32), np.asarray(shine, np.float32)


def _lens(canvas: Canvas, look: Look, window: tuple[slice, slice]) -> Array:
    """Return the unevenness of lamp and lens in a window, about 1 in the middle."""
    rows, columns = canvas.shape
    y = np.linspace(-1, 1, rows, dtype=np.float32)[window[0], None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, window[1]]
    corners, side = look.falloff
    reach = float(np.hypot(look.sun[0], look.sun[1])) or 1.0
    ramp = 1 + np.float32(side / reach) * (x * look.sun[0] + y * look.sun[1])
    return np.asarray(ramp * (1 - np.float32(corners / 2) * (x * x + y * y)), np.float32)


def _curve(linear: Array) -> Array:
    """Linear light to grey levels 0 to 255, with a shoulder that keeps highlights from clipping."""
    np.maximum(linear, 0, out=linear)
    level = np.sqrt(linear)
    # Identity up to 0.8, then bends towards 1 with a continuous slope.
    over = np.maximum(level - np.float32(0.8), 0)
    level -= over
    over /= 1 + over * np.float32(5.0)
    level += over
    level *= 255
    return level
