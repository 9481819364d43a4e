"""What goes to the browser: pictures, maps and results as bytes and plain values.

Everything here is a pure function; who sends it, and in which parts, is decided elsewhere. What
is compared is never sent with losses: pictures are PNG, maps are deflated.

Megabytes of four 12-megapixel pairs (4000 x 3000, a web page of 3446 x 3482, a mosaic of scanned
circuit boards); the photograph is synthetic, with sensor noise of sigma 6 in both pictures:

=======================  =======  ======  =======  =====
pair, method             2 bases   clean  heatmap    all
=======================  =======  ======  =======  =====
photograph, robust          6.35    1.42     1.90   9.66
photograph, hybrid [1]_     6.35    2.72     1.89  10.95
circuit boards, robust      1.40    0.86     1.12   3.38
web page, robust            0.86    0.02     0.02   0.89
=======================  =======  ======  =======  =====

.. [1] The heatmap is reduced 1:2; whole it would be 7.60.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

try:
    from isal import isal_zlib
except ImportError:  # no build for this processor
    isal_zlib = None  # type: ignore[assignment]

from vde_nb._draw import SEVERITY_COLOURS, reduce_map, type_colour
from vde_nb._png import png
from vde_nb._tags import Colour
from vde_nb._text import readable
from vde_nb.viewer.counts import region_counts
from vde_nb.viewer.tiles import SIZE, tile

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = [
    "HEATMAP_BYTES",
    "HEAT_PIXELS",
    "Plan",
    "anomalies_payload",
    "base_picture",
    "colours",
    "counts_of",
    "heat_payload",
    "packed",
    "picture_png",
    "pixel",
    "plan",
    "region_counts",
    "registration",
    "tile",
]

UInt8 = npt.NDArray[np.uint8]

#: Pixels up to which a picture is sent as it is, and the longer side of larger ones.
_WHOLE, _LONGEST = 2_400_000, 1600
#: Maps with more pixels than this are reduced: a browser keeps some copies of them.
HEAT_PIXELS = 64_000_000
#: The heatmap is only looked at: where it would be larger than this it is reduced as well. The
#: clean map never is for this reason, as masks are made of it.
HEATMAP_BYTES = 3_000_000


@dataclass(frozen=True)
class Plan:
    """How a picture is sent: a base at once, and tiles of what is looked at more closely.

    Attributes
    ----------
    width, height
        Of the picture.
    base_width, base_height
        Of the base picture.
    factor
        Pixels of the picture per pixel of the base, along each side; 1 = the base is the picture.
        Sides are rounded: ``width / base_width`` and ``height / base_height`` are exact.
    levels
        Reductions of which tiles can be asked for, from 1; all finer than the base.
    deep
        Whether there are tiles at all.
    tile
        Side of a tile.
    """

    width: int
    height: int
    base_width: int
    base_height: int
    factor: float
    levels: tuple[int, ...]
    deep: bool
    tile: int = SIZE

    def to_dict(self) -> dict[str, Any]:
        """As the browser knows it, without token and names."""
        return {
            "width": self.width,
            "height": self.height,
            "base": {
                "width": self.base_width,
                "height": self.base_height,
                "factor": self.factor,
            },
            "levels": list(self.levels),
            "tile": self.tile,
            "deep": self.deep,
        }


def plan(height: int, width: int) -> Plan:
    """Decide how a picture of `height` x `width` pixels is sent.

    Up to 2.4 megapixels the base is the picture itself; else its longer side has 1600 pixels.

    Examples
    --------
    >>> plan(1224, 1632).deep
    False
    >>> large = plan(3000, 4000)
    >>> large.base_width, large.base_height, large.factor, large.levels
    (1600, 1200, 2.5, (1, 2))
    """
    longest = max(height, width)
    if height * width <= _WHOLE or longest <= _LONGEST:
        return Plan(width, height, width, height, 1.0, (1,), deep=False)
    factor = longest / _LONGEST
    levels = [1]
    while 2 * levels[-1] < factor:
        levels.append(2 * levels[-1])
    return Plan(
        width,
        height,
        max(1, round(width / factor)),
        max(1, round(height / factor)),
        factor,
        tuple(levels),
        deep=True,
    )


def base_picture(picture: UInt8, how: Plan) -> UInt8:
    """The base of a picture, ``(base_height, base_width, 3)`` uint8: means over areas.

    Parameters
    ----------
    picture
        ``(H, W, 3)`` uint8 RGB.
    how
        The plan for its size. `picture` itself is returned when the base is the picture.
    """
    if not how.deep:
        return picture
    size = how.base_width, how.base_height
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def picture_png(picture: UInt8) -> bytes:
    """A picture as a PNG file, ``(H, W, 3)`` RGB or ``(H, W)`` uint8."""
    return png(picture)


def packed(values: npt.NDArray[np.uint8]) -> bytes:
    r"""Values in order, as a zlib stream (RFC 1950).

    Level 1 of ISA-L and of zlib; ISA-L's level 2 is not smaller by more than a hundredth and
    level 3 takes twice the time. One core packs 12 megapixels in 40 ms at most: threads do not
    pay.

    >>> zlib.decompress(packed(np.uint8([3, 1, 2])))
    b'\x03\x01\x02'
    """
    data = np.ascontiguousarray(values).data
    if isal_zlib is not None:
        return isal_zlib.compress(data, 1)
    return zlib.compress(data, 1)


def heat_payload(
    heat: UInt8, most_pixels: int = HEAT_PIXELS, most_bytes: int | None = None
) -> tuple[dict[str, int], bytes]:
    """A heatmap for the browser.

    A map that is too large is reduced by a power of two, and the maximum of each block is kept,
    so that a single hot pixel stays seen, and "above the threshold somewhere in this block" stays
    true at every threshold.

    Parameters
    ----------
    heat
        ``(H, W)`` uint8.
    most_pixels
        Size from which the map is reduced.
    most_bytes
        Packed size from which it is reduced; None: none. For the map that is only looked at.

    Returns
    -------
    tuple of (dict, bytes)
        ``{"width", "height", "factor"}`` of what is sent, and its rows as a zlib stream.
    """
    factor = 1
    while True:
        height, width = (-(-side // factor) for side in heat.shape)
        if height * width <= most_pixels:
            data = packed(reduce_map(heat, factor) if factor > 1 else heat)
            if most_bytes is None or len(data) <= most_bytes or height * width == 1:
                return {"width": width, "height": height, "factor": factor}, data
        factor *= 2


def anomalies_payload(comparison: Comparison) -> tuple[dict[str, Any], list[int], bytes]:
    """What was found.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.

    Returns
    -------
    result : dict
        ``threshold``, ``anomalies`` and ``summary``, plain values for JSON. Names are text from
        outside: they must be shown as text.
    offsets : list of int
        Where the mask of each anomaly begins in the unpacked bytes.
    masks : bytes
        zlib stream of the outlines: the bits of each row after row, the first in the lowest bit,
        filled up to a whole byte at the end of each anomaly.
    """
    bits = [
        np.packbits(anomaly.outline.ravel(), bitorder="little") for anomaly in comparison.anomalies
    ]
    ends = np.cumsum([0, *(len(one) for one in bits)]).tolist()
    result = {
        "threshold": int(comparison.threshold),
        "anomalies": [_anomaly(anomaly) for anomaly in comparison.anomalies],
        "summary": _summary(comparison),
    }
    return result, ends[:-1], packed(np.concatenate(bits) if bits else np.zeros(0, np.uint8))


def _anomaly(anomaly: Anomaly) -> dict[str, Any]:
    return {
        "number": int(anomaly.number),
        "box": [int(value) for value in anomaly.box],
        "type": readable(anomaly.type),
        "severity": readable(anomaly.severity),
        "score": round(float(anomaly.score), 4),
        "area": int(anomaly.area),
        "centroid": [round(value, 2) for value in anomaly.centroid],
        "confidence": round(float(anomaly.confidence), 4),
        "severity_score": round(float(anomaly.severity_score), 4),
        "verdict": anomaly.verdict,
        "comment": readable(anomaly.comment),
        "origin": anomaly.origin,
        "type_found": readable(anomaly.type_found),
    }


def _summary(comparison: Comparison) -> dict[str, Any]:
    timings = {name: round(float(ms), 1) for name, ms in comparison.timings.items()}
    return {
        "method": comparison.method,
        "ssim": round(float(comparison.ssim_score), 6),
        "changed": round(float(comparison.change_score_percent), 4),
        "count": len(comparison.anomalies),
        "notes": [readable(note) for note in comparison.notes],
        "timings": timings,
        "ms": round(sum(timings.values()), 1),
    }


def colours(types: Iterable[str]) -> dict[str, dict[str, str]]:
    """Colours of types and severities as ``"#rrggbb"``: those of the annotated picture.

    >>> colours(["scratch"])["severity"]["major"]
    '#d55e00'
    """
    return {
        "type": {readable(name): _hex(type_colour(name)) for name in types},
        "severity": {name: _hex(colour) for name, colour in SEVERITY_COLOURS.items()},
    }


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def pixel(comparison: Comparison, x: int, y: int) -> dict[str, Any]:
    """Everything about one pixel.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    x, y
        In reference pixels.

    Returns
    -------
    dict
        ``reference`` and ``current`` ``[r, g, b]``, ``delta`` (the largest difference of the three
        channels), ``heat`` and ``clean``, all 0 to 255.

    Raises
    ------
    ValueError
        There is no such pixel.
    """
    height, width = comparison.pair.shape
    if not (0 <= x < width and 0 <= y < height):
        raise ValueError(f"There is no pixel ({x}, {y}) in {width} \u00d7 {height} px.")
    reference: list[int] = comparison.reference[y, x].tolist()
    current: list[int] = comparison.current[y, x].tolist()
    return {
        "reference": reference,
        "current": current,
        "delta": max(abs(one - two) for one, two in zip(reference, current, strict=True)),
        "heat": int(comparison.heatmap[y, x]),
        "clean": int(comparison.clean_heatmap[y, x]),
    }


def registration(comparison: Comparison | None) -> dict[str, Any] | None:
    """How the pictures were brought together, for the viewer; None where that was not asked for.

    `before` and `after` are the residuals of :class:`~vde_nb.align.Registration`, 0 to 1.
    """
    found = None if comparison is None else comparison.registration
    if found is None:
        return None
    return {
        "model": found.model,
        "motion": round(float(found.motion), 2),
        "before": round(float(found.residual_before), 4),
        "after": round(float(found.residual_after), 4),
        "nudge": list(found.nudge),
    }


def counts_of(
    comparison: Comparison, should_stop: Callable[[], bool] | None = None
) -> list[int] | None:
    """:func:`region_counts` of a comparison, asking `should_stop` in between.

    None where it was stopped, and where a method groups regions: a count of them would not be
    the number of its anomalies.
    """
    if comparison.settings.method == "ensemble":
        return None
    least = comparison.settings.detect.min_area
    return region_counts(comparison.clean_heatmap, least, should_stop)
