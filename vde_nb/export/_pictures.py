"""Pictures of the HTML report, as ``data:`` addresses."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._draw import by_severity, draw_reduced, reduce_map, reduce_picture
from vde_nb._png import png
from vde_nb.detect import Box

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["Overview", "Thumbnails", "overview", "thumbnails"]

UInt8 = npt.NDArray[np.uint8]

#: Longer side of the large pictures at most, in pixels.
_LONGEST = 1400
#: Longer side of a thumbnail at most: twice of what a page shows, for fine screens.
_THUMBNAIL = 320
#: PNG files up to so many bytes are embedded as they are, larger ones as JPEG.
_PNG_LIMIT, _THUMBNAIL_PNG_LIMIT = 1_500_000, 24_000
_JPEG_QUALITY = 90
#: Pixels of surroundings at least, and as a share of the box's longer side.
_MARGIN, _MARGIN_SHARE = 16, 0.4


@dataclass(frozen=True)
class Overview:
    """The large pictures, reduced by a whole `factor` to `width` x `height` pixels."""

    factor: int
    width: int
    height: int
    reference: str
    current: str
    heatmap: str


@dataclass(frozen=True)
class Thumbnails:
    """One region in both pictures.

    Attributes
    ----------
    reference, current
        Addresses of the pictures.
    width, height
        Of both, in pixels.
    frame
        ``(left, top, width, height)`` of the region's box in them, in percent.
    """

    reference: str
    current: str
    width: int
    height: int
    frame: tuple[float, float, float, float]


def overview(comparison: Comparison) -> Overview:
    """Make the large pictures: reference, annotated current, and the heatmap in colours."""
    factor = max(1, math.ceil(max(comparison.pair.shape) / _LONGEST))
    _, annotated = draw_reduced(comparison, by_severity, factor)
    # The hottest pixel of a block counts: a mean would hide what is small.
    hottest = reduce_map(comparison.heatmap, factor)
    heat = np.asarray(cv2.applyColorMap(hottest, cv2.COLORMAP_INFERNO), np.uint8)
    height, width = annotated.shape[:2]
    return Overview(
        factor,
        width,
        height,
        _address(reduce_picture(comparison.reference, factor), _PNG_LIMIT),
        _address(annotated, _PNG_LIMIT),
        _address(heat[..., ::-1], _PNG_LIMIT),
    )


def thumbnails(comparison: Comparison, anomaly: Anomaly) -> Thumbnails:
    """Cut a region out of both pictures, with some of its surroundings."""
    left, top, width, height = _surroundings(anomaly.box, anomaly.shape)
    factor = max(1, math.ceil(max(width, height) / _THUMBNAIL))
    crop = np.s_[top : top + height, left : left + width]
    small = reduce_picture(comparison.reference[crop], factor)
    x, y, w, h = anomaly.box
    frame = (
        100 * (x - left) / width,
        100 * (y - top) / height,
        100 * w / width,
        100 * h / height,
    )
    return Thumbnails(
        _address(small, _THUMBNAIL_PNG_LIMIT),
        _address(reduce_picture(comparison.current[crop], factor), _THUMBNAIL_PNG_LIMIT),
        small.shape[1],
        small.shape[0],
        frame,
    )


def _surroundings(box: Box, shape: tuple[int, int]) -> Box:
    x, y, w, h = box
    margin = max(_MARGIN, round(_MARGIN_SHARE * max(w, h)))
    left, top = max(0, x - margin), max(0, y - margin)
    right, bottom = min(shape[1], x + w + margin), min(shape[0], y + h + margin)
    return left, top, right - left, bottom - top


def _address(picture: UInt8, limit: int) -> str:
    kind, data = "png", png(picture)
    if len(data) > limit:
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        kind, data = "jpeg", cv2.imencode(".jpg", picture[..., ::-1], quality)[1].tobytes()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
