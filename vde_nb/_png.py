r"""PNG files, compressed on all cores.

A PNG is one deflate stream; OpenCV compresses it on one core. A deflate stream may be cut: bands of
rows are filtered and compressed each on its own, end on a whole byte and are put one after the
other. What is lost is what the first row of a band could have borrowed from the band before.

The compressor is ISA-L's where there is a build of it, else zlib's; both files hold the same
picture. Processor time on a 12-megapixel photograph with grain (RGB, Sub filter, OpenCV 5.0 with
zlib 1.2, AMD EPYC), which bands spread over the cores:

==============================  ======  ======
what                              MB    CPU ms
==============================  ======  ======
``cv2.imencode``, as it is        16.5     496
the same, level 6                 17.6    5018
bands, zlib, Z_RLE                14.0     562
bands, ISA-L, level 2             15.0     169
==============================  ======  ======
"""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

try:
    from isal import isal_zlib
except ImportError:  # no build for this processor
    isal_zlib = None  # type: ignore[assignment]

from vde_nb._bands import for_each_band

__all__ = ["png", "png_of_rows", "write_png"]

#: Filtered bytes per band: small enough for every core to get some, large enough to compress well.
_BAND = 1 << 20
#: Prime of the Adler-32 checksum.
_ADLER = 65521
#: What a zlib stream starts with: deflate, window of 32 kB, fastest level.
_ZLIB_HEAD = b"\x78\x01"
_SUB = 1


def png(image: npt.NDArray[Any]) -> bytes:
    """Encode a picture as a PNG file.

    Parameters
    ----------
    image
        ``(H, W)`` uint8 grey or bool (False is black, True is white), or ``(H, W, 3)`` uint8 RGB.

    Returns
    -------
    bytes
        The file; the same for the same picture, however many cores there are.

    Raises
    ------
    ValueError
        The array has another shape or type, or no pixels.
    """
    pixels = np.asarray(image)
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    is_grey = pixels.ndim == 2 and pixels.dtype in (np.uint8, np.bool_)
    if not (is_colour or is_grey) or pixels.size == 0:
        raise ValueError(
            f"A PNG needs an array (H, W) of uint8 or bool or (H, W, 3) of uint8, not "
            f"{pixels.shape} of {pixels.dtype}."
        )
    height, width = pixels.shape[:2]
    return png_of_rows(
        height, width, lambda first, end: pixels[first:end], channels=3 if is_colour else 1
    )


def png_of_rows(
    height: int,
    width: int,
    rows_of: Callable[[int, int], npt.NDArray[Any]],
    *,
    channels: int = 1,
) -> bytes:
    """Encode a picture that is made while it is encoded; see :func:`write_png`."""
    file = io.BytesIO()
    write_png(file, height, width, rows_of, channels=channels)
    return file.getvalue()


def write_png(
    file: BinaryIO,
    height: int,
    width: int,
    rows_of: Callable[[int, int], npt.NDArray[Any]],
    *,
    channels: int = 1,
) -> None:
    """Write a picture into a file, band by band: neither it nor the file need exist as a whole.

    Parameters
    ----------
    file
        Opened for writing.
    height, width
        Size of the picture, 1 at least.
    rows_of
        Makes rows ``first`` to ``end``, as for :func:`png`; called from several threads.
    channels
        1 for grey, 3 for RGB.
    """
    rows = max(1, _BAND // (width * channels + 1))
    head = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head))
    bands = _InOrder(file)

    def work(first: int, end: int) -> None:
        filtered = _filtered(rows_of(first, end), channels)
        # A raw stream of its own; the flush ends it on a whole byte, to be continued.
        stream = _compressor()
        data = stream.compress(filtered.data)
        data += stream.flush(zlib.Z_FINISH if end == height else zlib.Z_SYNC_FLUSH)
        chunk = _chunk(b"IDAT", data if first else _ZLIB_HEAD + data)
        bands.add(first // rows, chunk, zlib.adler32(filtered.data), filtered.size)

    for_each_band(work, height, width, rows)
    file.write(_chunk(b"IDAT", struct.pack(">I", bands.checksum)) + _chunk(b"IEND", b""))


class _InOrder:
    """Bands that come in any order, and are written as soon as it is their turn.

    Attributes
    ----------
    checksum
        Adler-32 of all that was filtered.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[bytes, int, int]] = {}
        self._written = 0
        self.checksum = 1

    def add(self, number: int, chunk: bytes, checksum: int, size: int) -> None:
        """Take a band, and the checksum of so many filtered bytes of it."""
        with self._lock:
            self._waiting[number] = chunk, checksum, size
            while self._written in self._waiting:
                chunk, checksum, size = self._waiting.pop(self._written)
                self._file.write(chunk)
                self.checksum = _adler32_combine(self.checksum, checksum, size)
                self._written += 1


def _filtered(pixels: npt.NDArray[Any], step: int) -> npt.NDArray[np.uint8]:
    """Rows as PNG stores them: the filter's number, then differences to the pixel on the left."""
    if pixels.dtype == np.bool_:
        pixels = pixels * np.uint8(255)
    flat = pixels.reshape(len(pixels), -1)
    out = np.empty((len(flat), flat.shape[1] + 1), np.uint8)
    out[:, 0] = _SUB
    out[:, 1 : step + 1] = flat[:, :step]
    np.subtract(flat[:, step:], flat[:, :-step], out=out[:, step + 1 :])
    return out


def _compressor() -> Any:
    """A compressor of one raw deflate stream, tuned for filtered pixels."""
    if isal_zlib is not None:
        return isal_zlib.compressobj(2, isal_zlib.DEFLATED, -15)
    return zlib.compressobj(1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)])


def _adler32_combine(first: int, second: int, size: int) -> int:
    """Adler-32 of two pieces put together, from theirs and the `size` of the second.

    >>> whole = _adler32_combine(zlib.adler32(b"to"), zlib.adler32(b"gether"), 6)
    >>> whole == zlib.adler32(b"together")
    True
    """
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)
    return (high % _ADLER) << 16 | low % _ADLER
