"""Lightness and opponent colours: what of a picture is compared, and its noise."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import Scratch, for_each_band, rows_for
from vde_nb._buffers import empty, room

__all__ = ["OPPONENT", "Opponent", "Planes", "noise_of", "opponent", "square"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Planes = list[UInt8]

#: RGB -> lightness, red-green, yellow-blue; the last two around 128.
OPPONENT = np.array(
    [[0.299, 0.587, 0.114, 0], [0.6, -0.6, 0, 128], [0.25, 0.25, -0.5, 128]], np.float32
)
_BLUR = 0.7  # pixels; takes the edge off noise and JPEG blocks
_ROWS = 128
_EVERY = 3  # noise is measured at every third pixel of every third row
_BESIDES = 5  # bytes per pixel that a comparison needs beside the planes of its pictures
_scratch = Scratch()


def square(radius: int) -> UInt8:
    """Structuring element of `radius` pixels around its middle."""
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def opponent(image: UInt8) -> Planes:
    """Lightness and the two opponent colours, slightly blurred; each ``(H, W)`` uint8."""
    height, width = image.shape[:2]
    planes = [empty((height, width), np.uint8) for _ in range(3)]

    def band(first: int, end: int) -> None:
        _fill(image, first, end, [plane[first:end] for plane in planes])

    for_each_band(band, height, width, rows_for(width, _ROWS))
    return planes


def _fill(image: UInt8, first: int, end: int, planes: Planes) -> None:
    """Rows `first` to `end` of the planes of a picture, whatever else is computed of them."""
    top, bottom = max(0, first - 2), min(image.shape[0], end + 2)
    rows = image[top:bottom]
    colours = _scratch.get("colours", rows.shape, np.uint8)
    soft = _scratch.get("soft", rows.shape, np.uint8)
    cv2.transform(rows, OPPONENT, colours)
    cv2.GaussianBlur(colours, (5, 5), _BLUR, soft, borderType=cv2.BORDER_REFLECT_101)
    for channel, plane in enumerate(planes):
        cv2.extractChannel(soft[first - top : end - top], channel, plane)


class Opponent:
    """The planes of a picture, band by band: kept while memory lasts, or computed each time.

    Parameters
    ----------
    image
        ``(H, W, 3)`` RGB uint8.
    number
        Which picture of the comparison it is: rows of several are looked at together.
    keep
        Whether to compute the planes once, and hold three bytes per pixel.
    """

    def __init__(self, image: UInt8, number: int = 0, keep: bool = True) -> None:
        height, width = image.shape[:2]
        self.shape = height, width
        self._image, self._number = image, number
        self._planes = opponent(image) if keep else None

    @classmethod
    def of(cls, images: Sequence[UInt8]) -> list[Opponent]:
        """Those of all pictures of a comparison."""
        height, width = images[0].shape[:2]
        # Computing them anew costs less than to have them, or what follows, in a file.
        keep = room() >= (3 * len(images) + _BESIDES) * height * width
        return [cls(image, number, keep) for number, image in enumerate(images)]

    def rows(self, first: int, end: int, count: int = 3) -> Planes:
        """Rows `first` to `end` of the first `count` planes; they last until the next call."""
        if self._planes is not None:
            return [plane[first:end] for plane in self._planes[:count]]
        shape = end - first, self.shape[1]
        planes = [
            _scratch.get(f"plane {self._number} {channel}", shape, np.uint8)
            for channel in range(count)
        ]
        _fill(self._image, first, end, planes)
        return planes


def noise_of(reference: Opponent, current: Opponent, valid: Bool | None) -> list[float]:
    """Standard deviation of what differs everywhere, per plane, in grey levels."""
    height, width = reference.shape
    counts = np.zeros((3, 256), np.int64)
    rough = np.zeros((2, 3), np.int64)  # summed roughness of each picture's planes
    lock = threading.Lock()

    def band(first: int, end: int) -> None:
        begin = -first % _EVERY  # the first row of the band that is looked at
        seen = [one.rows(first, end) for one in (reference, current)]
        sure = None if valid is None else valid[first:end][begin::_EVERY, ::_EVERY]
        count = np.zeros_like(counts)
        sums = np.zeros_like(rough)
        for plane, pair in enumerate(zip(*seen, strict=True)):
            sampled = [np.ascontiguousarray(one[begin::_EVERY]) for one in pair]
            columns = [np.ascontiguousarray(one[:, ::_EVERY]) for one in sampled]
            off = cv2.absdiff(*columns) if columns[0].size else columns[0]
            count[plane] = np.bincount(off[sure] if sure is not None else off.ravel(), None, 256)
            for index, one in enumerate(sampled):
                sums[index, plane] = _roughness(one)
        with lock:
            np.add(counts, count, out=counts)
            np.add(rough, sums, out=rough)

    for_each_band(band, height, width, rows_for(width, _ROWS))
    looked_at = -(-height // _EVERY) * max(width - 2, 0)
    # Second differences along rows: of white noise they have six times the variance.
    grain = rough / max(looked_at, 1) * 1.2533 / 6**0.5
    return [_spread(*one) for one in zip(counts, grain.max(axis=0).tolist(), strict=True)]


def _roughness(rows: UInt8) -> int:
    """Sum of absolute second differences along rows."""
    if rows.shape[1] < 3:
        return 0
    return int(np.abs(np.diff(rows.astype(np.int16), n=2, axis=1)).sum(dtype=np.int64))


def _spread(count: npt.NDArray[np.int64], grain: float) -> float:
    """Standard deviation behind a histogram of absolute differences."""
    running = count.cumsum()
    half = running[-1] / 2
    level = int(np.searchsorted(running, half))
    # Within the level of the median: whole levels alone would make the scale jump.
    before = running[level] - count[level]
    median = max(0.0, level - 0.5 + (half - before) / max(int(count[level]), 1))
    # Where most of the picture has changed, that is no noise: pictures have their own.
    return float(min(1.4826 * median, 3 * grain + 2))
