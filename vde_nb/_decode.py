"""A picture file, or a PIL image -> pixels as they are stored, the right way up.

OpenCV decodes JPEG, PNG and WebP, faster than Pillow, and those TIFF files that Pillow would cut
down to 8 bits or cannot open. Pillow decodes the rest. Neither is trusted with the orientation, nor
JPEG and PNG with a broken file, of which some versions return a half-grey picture and most print to
stderr from C: the structure of those is walked here first, which also yields the size (a
decompression bomb must not be opened), the orientation and the number of frames.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from vde_nb._native import (
    TRUNCATED,
    BadImage,
    Native,
    check_size,
    file_notes,
    from_pil,
    ifd_value,
    imdecode_native,
    imdecode_rgb,
    no_pillow_limit,
    one_at_a_time,
    orientation_of,
    pil_orientation,
    upright,
)
from vde_nb._plain_files import read_bmp, read_ppm
from vde_nb._png_file import SIGNATURE, read_png
from vde_nb._tiff import MAGIC, read_tiff

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "ENDINGS",
    "TRUNCATED",
    "BadImage",
    "Native",
    "check_size",
    "decode",
    "from_array",
    "from_pil",
]

SUPPORTED = "JPEG, PNG, WebP, TIFF, BMP, GIF, JPEG 2000, PPM, TGA"
#: Endings, in lower case, of the files in a folder that are taken for pictures. Whether they are
#: is told by their content.
ENDINGS = frozenset(
    [
        *(".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"),
        *(".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
    ]
)
_CMYK = "CMYK inks converted to RGB without a colour profile"
#: Bytes of a file that is read at once.
_SMALL = 64 << 20
#: Scans of a JPEG: progressive ones have some ten, and each passes over the whole picture.
_MOST_SCANS = 100

# A JPEG marker that is neither a stuffed zero, nor a restart, nor a fill byte. 0xFF is rare in
# compressed data, so the search runs at memory speed.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
# What Pillow may open: kinds whose header tells the size before a pixel is unpacked. Others run
# Ghostscript (EPS) or unpack what they hold while they are opened (ICO).
_PILLOW_PLUGINS = {
    "BMP": "Bmp",
    "GIF": "Gif",
    "JPEG": "Jpeg",
    "JPEG2000": "Jpeg2K",
    "PNG": "Png",
    "PPM": "Ppm",
    "TGA": "Tga",
    "TIFF": "Tiff",
    "WEBP": "WebP",
}


def decode(content: bytes | BinaryIO, max_megapixels: float) -> Native:
    """Decode a picture file, whose header must not speak of more than `max_megapixels`.

    Parameters
    ----------
    content
        The bytes of the file, or the file, opened for reading; large pictures are read from it
        piece by piece.
    max_megapixels
        Files that unpack to more are refused before they are unpacked.

    Raises
    ------
    BadImage
        If the data are no picture, truncated, damaged, or larger than allowed. Decoders meet bad
        data with exceptions of every kind; those are let through for the caller to translate.
    """
    file: BinaryIO = io.BytesIO(content) if isinstance(content, bytes) else content
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise BadImage("is empty (0 bytes)")
    file.seek(0)
    if size <= _SMALL:
        file = io.BytesIO(file.read())
    start = file.read(12)
    if start.startswith(SIGNATURE):
        return read_png(file, size, max_megapixels)
    if start.startswith(MAGIC):
        return read_tiff(file, size, max_megapixels)
    native = None
    if start.startswith(b"BM"):
        native = read_bmp(file, size, max_megapixels)
    elif start.startswith((b"P5", b"P6")):
        native = read_ppm(file, size, max_megapixels)
    if native is not None:
        return native
    file.seek(0)
    data = file.read()
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data, max_megapixels)
    webp = data.startswith(b"RIFF") and data[8:12] == b"WEBP"
    if webp:  # Pillow makes room for the whole picture when it opens one of these
        if int.from_bytes(data[4:8], "little") + 8 > len(data):
            raise BadImage(TRUNCATED)
        check_size(*_webp_size(data), max_megapixels)
    image = _open(data)
    if image is None:
        raise BadImage(
            f"does not look like a picture: it starts with {data[:12]!r}; supported: {SUPPORTED}"
        )
    check_size(*image.size, max_megapixels)
    if not webp or getattr(image, "n_frames", 1) > 1:  # only OpenCV 5 decodes an animated one
        return from_pil(image)
    turn = pil_orientation(image)
    with one_at_a_time(*image.size):
        pixels = imdecode_native(data) if image.mode == "RGBA" else imdecode_rgb(data)
        return Native(upright(pixels, turn), file_notes(turn))


def from_array(source: Any) -> Native:
    """Take an array for what it is, uncopied if it can be; BadImage if it is no picture."""
    if np.ma.is_masked(source):
        count = int(np.ma.getmaskarray(source).sum())
        raise BadImage(f"has {count} masked values; fill them first, as in array.filled(0)")
    array = np.asarray(source)
    shape, dtype = array.shape, array.dtype
    if len(shape) in (2, 3) and 0 in shape:
        raise BadImage(f"has no pixels (its shape is {shape})")
    if not (len(shape) == 2 or (len(shape) == 3 and shape[2] <= 4)):
        remedy = "pass (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4)"
        if len(shape) == 3 and shape[0] <= 4:
            remedy = "its channels come first: pass np.moveaxis(array, 0, -1)"
        elif len(shape) == 4:
            remedy = "it is a stack of pictures: pass one of them, as in array[0]"
        raise BadImage(f"has shape {shape}, which is not a picture's; {remedy}")
    if dtype == np.uint8:
        return Native(array)
    if dtype.kind == "u" and dtype.itemsize == 2:
        return Native(array.astype(np.uint16, copy=False))  # of either byte order
    if dtype.kind == "f":
        return Native(array.astype(np.float32 if dtype.itemsize < 8 else np.float64, copy=False))
    if dtype.kind == "b":
        raise BadImage(
            "is a mask, not a picture (its dtype is bool); to compare masks multiply by 255: "
            'mask.astype("uint8") * 255'
        )
    if dtype.kind not in "iu":
        raise BadImage(f"has dtype {dtype}; pass uint8 0–255, uint16 0–65535 or floats 0–1")
    low, high = array.min(), array.max()
    scale = "" if low >= 0 and high <= 255 else "scale them to 0–255 and "
    raise BadImage(f'has dtype {dtype}, with values {low} to {high}; {scale}pass .astype("uint8")')


class _JpegHeader(NamedTuple):
    precision: int
    height: int
    width: int
    components: int


def _jpeg(data: bytes, max_megapixels: float) -> Native:
    head: _JpegHeader | None = None
    turn = frames = scans = 0
    position = 2
    # Searching for the next marker, rather than demanding one, skips both the compressed data of
    # a scan and the stray bytes between segments that libjpeg also forgives.
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        if marker == 0xD9:
            break
        if marker in (0x01, 0xD8):  # the two others that stand alone
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        position += max(length, 2)
        if position > len(data):
            raise BadImage(TRUNCATED)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(segment) >= 6:
            head = head or _JpegHeader(*struct.unpack_from(">BHHB", segment))
        elif marker == 0xE1 and segment.startswith(b"Exif\0"):
            turn = turn or orientation_of(segment[6:])
        elif marker == 0xE2 and segment.startswith(b"MPF\0"):
            frames = ifd_value(segment[4:], 0xB001)
        scans += marker == 0xDA
    else:
        raise BadImage(TRUNCATED)
    if head is None or not scans:
        raise BadImage("is a damaged JPEG: it holds no picture")
    check_size(head.width, head.height, max_megapixels)
    if head.precision != 8:
        raise BadImage(f"is a {head.precision}-bit JPEG; save it as a 16-bit PNG or TIFF")
    if scans > _MOST_SCANS:
        raise BadImage(f"is a JPEG of {scans} scans, which no camera writes; save it again")
    notes = file_notes(turn, frames) + ((_CMYK,) if head.components == 4 else ())
    with one_at_a_time(head.width, head.height):
        return Native(upright(imdecode_rgb(data), turn), notes)


def _open(data: bytes) -> Image.Image | None:
    """Read the header of a picture with Pillow; None if it is of no kind that is known."""
    from PIL import Image, UnidentifiedImageError

    try:
        for name in _PILLOW_PLUGINS.values():
            importlib.import_module(f"PIL.{name}ImagePlugin")
        known = tuple(name for name in _PILLOW_PLUGINS if name in Image.OPEN)
        with no_pillow_limit:
            return Image.open(io.BytesIO(data), formats=known)
    except UnidentifiedImageError:
        return None


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk of a WebP file; zeros if it has none."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF
