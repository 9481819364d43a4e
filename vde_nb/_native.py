"""Pixels as a file stores them, and what all readers of files share.

A large picture is read in bands of rows, and only one at a time: beside its pixels there is never
a second copy of them, nor of the file.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

__all__ = [
    "BAND",
    "LARGE",
    "TRUNCATED",
    "UNREADABLE",
    "BadImage",
    "Canvas",
    "Native",
    "check_size",
    "file_notes",
    "from_pil",
    "ifd_value",
    "imdecode_native",
    "imdecode_rgb",
    "no_pillow_limit",
    "one_at_a_time",
    "orientation_of",
    "pil_orientation",
    "pil_pixels",
    "read_bytes",
    "read_into",
    "upright",
]

#: Pixels from which on a picture is read in bands.
LARGE = 30_000_000
#: Pixels of such a band.
BAND = 4_000_000

TRUNCATED = "is truncated: the file ends before the picture does; copy or save it again"
UNREADABLE = "is damaged, or of a kind that cannot be decoded; save it again as an 8-bit PNG"
_PALETTE = "palette colours written out as RGB"
_CMYK = "CMYK inks converted to RGB without a colour profile"


class BadImage(Exception):
    """What is wrong with a picture, as the rest of a sentence that starts with its name."""


@dataclass(frozen=True)
class Native:
    """Pixels as stored, upright, before any change of range, and what was done to them.

    ``pixels`` is ``(H, W)`` grey, ``(H, W, 1)``, ``(H, W, 2)`` grey + alpha, ``(H, W, 3)`` RGB or
    ``(H, W, 4)`` RGBA, of ``uint8``, ``uint16``, ``float32`` or ``float64``.
    """

    pixels: NDArray[Any]
    notes: tuple[str, ...] = ()


def check_size(width: int, height: int, max_megapixels: float) -> None:
    """Raise BadImage if a picture of this size has no pixels, or more than allowed."""
    if width < 1 or height < 1:
        raise BadImage(f"has no pixels ({width} × {height})")
    megapixels = width * height / 1e6
    if megapixels > max_megapixels:
        raise BadImage(
            f"is {width} × {height} pixels, {megapixels:.3g} megapixels, over the limit of "
            f"{max_megapixels:g}; if that is meant, pass max_megapixels={math.ceil(megapixels)}"
        )


# One large picture at a time ----------------------------------------------------------------------

_large = threading.Lock()


@contextmanager
def one_at_a_time(width: int, height: int) -> Iterator[None]:
    """Hold back other large pictures while one is decoded, which needs memory of its own."""
    if width * height <= LARGE:
        yield
        return
    with _large:
        yield


# Files --------------------------------------------------------------------------------------------


def read_into(file: BinaryIO, at: int, target: memoryview) -> None:
    """Fill `target` from a place in a file; BadImage where the file ends before."""
    file.seek(at)
    done = 0
    while done < len(target):  # the system may give less than it was asked for
        count = file.readinto(target[done:])  # type: ignore[attr-defined]
        if not count:
            raise BadImage(TRUNCATED)
        done += count


def read_bytes(file: BinaryIO, at: int, length: int) -> bytes:
    """`length` bytes from a place in a file; BadImage where the file ends before."""
    file.seek(at)
    data = file.read(length)
    while len(data) < length:
        more = file.read(length - len(data))
        if not more:
            raise BadImage(TRUNCATED)
        data += more
    return data


# Upright ------------------------------------------------------------------------------------------


class Canvas:
    """Room for a picture that is turned upright while it is filled, row by row as stored.

    Parameters
    ----------
    shape, dtype
        Of the pixels as stored.
    orientation
        Of EXIF, 1 to 8.

    Attributes
    ----------
    upright
        The picture, C-contiguous.
    stored
        The same memory, seen as the file stores it.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, orientation: int) -> None:
        height, width, *rest = shape
        turned = orientation in (5, 6, 7, 8)
        self.upright: NDArray[Any] = np.empty(
            (width, height, *rest) if turned else (height, width, *rest), dtype
        )
        # Undoing 5 to 8 is a transposition and then a flip; seen from the result, the flip is
        # the first to be undone.
        down, across = {
            2: (1, -1),
            3: (-1, -1),
            4: (-1, 1),
            6: (1, -1),
            7: (-1, -1),
            8: (-1, 1),
        }.get(orientation, (1, 1))
        seen = self.upright[::down, ::across]
        self.stored: NDArray[Any] = seen.swapaxes(0, 1) if turned else seen


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation: 5 to 8 are 1 to 4 with rows and columns exchanged."""
    if pixels.shape[0] * pixels.shape[1] > LARGE and 2 <= orientation <= 8:
        canvas = Canvas(pixels.shape, pixels.dtype, orientation)
        canvas.stored[...] = pixels
        return canvas.upright
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cv2.flip(pixels, flip)


def orientation_of(exif: bytes) -> int:
    """Orientation (1 to 8) from a block of EXIF; 1 when absent or nonsense, as viewers do."""
    value = ifd_value(exif, 0x0112)
    return value if 1 <= value <= 8 else 1


def ifd_value(block: bytes, tag: int) -> int:
    """First value of `tag` in the first directory of a TIFF block; 0 if it has none.

    Not left to Pillow, which warns about every other oddity of the block on its way.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    with suppress(struct.error):  # a directory that runs out of its block says nothing
        if order:
            (start,) = struct.unpack_from(order + "I", block, 4)
            (count,) = struct.unpack_from(order + "H", block, start)
            for entry in range(start + 2, start + 2 + 12 * count, 12):
                found, kind = struct.unpack_from(order + "HH", block, entry)
                if found == tag and kind in (3, 4):
                    value = order + ("H" if kind == 3 else "I")
                    return int(struct.unpack_from(value, block, entry + 8)[0])
    return 0


def file_notes(
    turn: int, frames: int | str = 1, unit: str = "frames", frame: int = 0
) -> tuple[str, ...]:
    """Say which of several frames was used, and how it was turned."""
    which = "first" if frame == 0 else f"number {frame + 1}"
    many = isinstance(frames, str) or frames > 1
    notes: tuple[str, ...] = (f"{which} of {frames} {unit} used",) if many else ()
    done = {2: "mirrored", 4: "mirrored", 5: "rotated and mirrored", 7: "rotated and mirrored"}
    if 2 <= turn <= 8:
        notes += (f"{done.get(turn, 'rotated')} as its EXIF orientation says",)
    return notes


# OpenCV -------------------------------------------------------------------------------------------


def imdecode_rgb(data: bytes | bytearray) -> NDArray[Any]:
    """Decode to RGB, 8 bits, as stored: (H, W, 3) uint8."""
    flag: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)  # absent from older OpenCV 4
    if flag is not None:
        return _imdecode(data, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    pixels = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def imdecode_native(data: bytes | bytearray) -> NDArray[Any]:
    """Decode with the channels and depth of the file, in the order R, G, B, A."""
    pixels = _imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels
    if pixels.dtype == np.float64:  # no colour conversion of OpenCV's takes these
        return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    way = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return cv2.cvtColor(pixels, way, dst=pixels)


def _imdecode(data: bytes | bytearray, flags: int) -> NDArray[Any]:
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise BadImage(UNREADABLE)
    return pixels


# Pillow -------------------------------------------------------------------------------------------


class _PillowLimit:
    """Lifts Pillow's own limit on sizes, a global, while a file is read under the caller's.

    Pillow warns and raises by it in many places. Two threads load at once, hence the count: the
    first to enter lifts the limit, the last to leave restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        from PIL import Image

        with self._lock:
            if not self._inside:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        from PIL import Image

        with self._lock:
            self._inside -= 1
            if not self._inside:
                Image.MAX_IMAGE_PIXELS = self._limit


no_pillow_limit = _PillowLimit()


def from_pil(image: Image.Image, unit: str = "frames", frames: int | str | None = None) -> Native:
    """Take the pixels of a PIL image, turned upright.

    Parameters
    ----------
    image
        The image; its pixels are loaded.
    unit
        What its frames are called.
    frames
        How many there are; None: Pillow is asked.
    """
    count, frame = getattr(image, "n_frames", 1) if frames is None else frames, image.tell()
    turn = pil_orientation(image)
    with no_pillow_limit, one_at_a_time(image.width, image.height):
        image.load()
        native = pil_pixels(image)
        # Asked again, as Pillow turns a TIFF upright while loading it, and forgets the
        # orientation.
        pixels = upright(native.pixels, pil_orientation(image))
    return Native(pixels, file_notes(turn, count, unit, frame) + native.notes)


def pil_orientation(image: Image.Image) -> int:
    """EXIF orientation of a PIL image, 1 to 8."""
    with suppress(Exception):  # damaged EXIF makes a picture no less readable
        value = image.getexif().get(0x0112, 1)
        return value if value in range(1, 9) else 1
    return 1


def pil_pixels(image: Image.Image) -> Native:
    """Take the pixels of a loaded PIL image of any mode."""
    width, height = image.size
    if width * height <= LARGE:
        return _pil_part(image)
    # Pillow hands its pixels over as bytes, in pieces that it joins: two copies more.
    rows = max(1, BAND // width)
    first = _pil_part(image.crop((0, 0, width, min(rows, height))))
    pixels = np.empty((height, *first.pixels.shape[1:]), first.pixels.dtype)
    pixels[:rows] = first.pixels
    for top in range(rows, height, rows):
        end = min(top + rows, height)
        pixels[top:end] = _pil_part(image.crop((0, top, width, end))).pixels
    return Native(pixels, first.notes)


def _pil_part(image: Image.Image) -> Native:
    mode = image.mode
    if mode.startswith("I;16"):
        return Native(np.asarray(image).astype(np.uint16))
    if mode == "F":
        return Native(np.asarray(image))
    if mode == "I":
        values = np.asarray(image)
        low, high = values.min(), values.max()
        if low < 0 or high > 65535:
            raise BadImage(
                f"holds integers from {low} to {high}, beyond 16 bits; "
                "scale them to 0–255 and pass an array"
            )
        return Native(values.astype(np.uint16))
    notes: tuple[str, ...] = ()
    if mode in ("1", "P", "PA", "CMYK"):
        notes = ({"1": "1-bit greys written as 0–255", "CMYK": _CMYK}.get(mode, _PALETTE),)
    elif mode not in ("L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX"):
        notes = (f"{mode} colours converted to RGB",)
    if mode == "La":  # known to Pillow as a way to LA only
        image = image.convert("LA")
    transparent = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    target = "RGBA" if transparent else "L" if mode in ("1", "L") else "RGB"
    return Native(np.asarray(image if mode == target else image.convert(target)), notes)
