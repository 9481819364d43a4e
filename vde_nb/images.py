"""Anything a user hands over -> a checked RGB picture, and a pair of them of one size.

From here on a picture is RGB, ``uint8``, C-contiguous ``(H, W, 3)``, and never anything else. What
has to be changed on the way there is said in words in ``notes``: a comparison is only as honest as
the pictures that enter it. The rules, where a rule had to be chosen:

- **16 bits** become ``round((value - low) * 255 / (high - low))``, ``low`` and ``high`` being the
  smallest and largest value in the picture: over all colour channels together, pixels that are
  fully transparent left out. Two 16-bit pictures of a pair share one range, the smallest to the
  largest value over both, so that a difference in brightness stays one. Beside a picture that is
  not 16-bit, and where all values are equal, the range is 0–65535.
- **Floats** must lie in 0–1 and become ``round(value * 255)``.
- **Transparency** is laid over white, after the colours have become 8-bit.
- **EXIF orientation** is applied, once, whatever the format. **Colour profiles** are not.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
import xxhash

from vde_nb._decode import TRUNCATED, BadImage, Native, check_size, decode, from_array, from_pil
from vde_nb._eight_bits import FULL_RANGE, to_eight_bits, value_range
from vde_nb._paths import from_url, misread, missing, shown
from vde_nb.errors import ImageError, SettingError

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["Box", "ImagePair", "Picture", "Placement", "Source", "load", "load_pair"]

#: What can be loaded. A string, because Pillow is not imported for the sake of a name.
Source: TypeAlias = (
    "str | os.PathLike[Any] | bytes | bytearray | memoryview | BinaryIO | Image | NDArray[Any]"
)
Box: TypeAlias = tuple[int, int, int, int]  # (x, y, w, h) in pixels, half-open

FITS = ("error", "crop", "pad")
# The least share of the current picture that fit="crop" must leave. Below it the proportions have
# nothing to do with each other, and scaling to cover would need endless memory.
LEAST_CROP = 0.05
LEAST_SIDE = 7  # a handful of pixels has any proportions, within rounding, and shows nothing
URL = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Picture:
    """A checked picture.

    Attributes
    ----------
    array
        ``(H, W, 3)`` ``uint8``, RGB, C-contiguous; a read-only view. An array that already was
        like this has not been copied: don't write to it while a comparison is using it.
    name
        The path as it was given; for anything else the name of the argument.
    notes
        Everything that was done that changes the picture, in words.
    """

    array: NDArray[np.uint8] = field(repr=False)
    name: str = "image"
    notes: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """Hash of shape and pixels, 32 hex digits; computed at first use, without copying."""
        digest = xxhash.xxh3_128(repr(self.array.shape).encode())
        digest.update(self.array.data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Placement:
    """Where the pixels of a resized, cropped or padded picture lie in it as it was read.

    Attributes
    ----------
    shape
        ``(H, W)`` of the picture as it was read.
    scale, offset
        ``x * scale[0] + offset[0]``, at edges of pixels, and so for y.
    """

    shape: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def matrix(self) -> NDArray[np.float64]:
        """The same between centres of pixels, ``(2, 3)``."""
        (sx, sy), (ox, oy) = self.scale, self.offset
        return np.array([[sx, 0, 0.5 * sx + ox - 0.5], [0, sy, 0.5 * sy + oy - 0.5]])


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Two pictures of one size.

    Attributes
    ----------
    reference, current
        The pictures; `current` as resized, cropped or padded to the size of `reference`.
    notes
        The notes of both, each with ``"reference: "`` or ``"current: "`` before it.
    valid
        Where the current picture really is, ``(x, y, w, h)``, if it was padded; else None.
    placement
        Where the pixels of `current` lie in the picture as it was read; None: right there.
    others
        More pictures of the reference's state, at its size.
    token
        Stands for this very pair, whatever its content; unlike an ``id`` it is never given again.
    """

    reference: Picture
    current: Picture
    notes: tuple[str, ...] = ()
    valid: Box | None = None
    placement: Placement | None = None
    others: tuple[Picture, ...] = ()
    token: object = field(default_factory=object, init=False, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)`` of both, in pixels."""
        height, width = self.reference.array.shape[:2]
        return height, width


def load(source: Source, *, name: str = "image", max_megapixels: float = 200.0) -> Picture:
    """Load one picture.

    Parameters
    ----------
    source
        A path; the bytes of a file, or a binary file object to read them from (it stays open); a
        PIL image; an array. Files can be JPEG, PNG, WebP, TIFF, BMP, GIF, JPEG 2000, PPM or TGA;
        of several frames or pages the first is taken. Arrays can be ``(H, W)``,
        ``(H, W, 1)`` grey, ``(H, W, 2)`` grey + alpha, ``(H, W, 3)`` RGB or ``(H, W, 4)`` RGBA;
        ``uint8`` 0–255, ``uint16`` 0–65535 or floats 0–1. A contiguous ``uint8`` RGB array is not
        copied.
    name
        What to call the picture where it has no path.
    max_megapixels
        Files that unpack to more than this are refused, before they are unpacked.

    Returns
    -------
    Picture
        RGB, ``uint8``, ``(H, W, 3)``.

    Raises
    ------
    ImageError
        If it is no picture, or cannot be read; the message names it and says what to do.
    SettingError
        If `max_megapixels` is not a positive number.

    Examples
    --------
    >>> import numpy as np
    >>> picture = load(np.array([[0, 1000], [3000, 4000]], np.uint16))
    >>> picture.array[..., 0].tolist(), picture.notes
    ([[0, 64], [191, 255]], ('16-bit greys scaled from 0–4000 to 0–255',))
    """
    _check_limit(max_megapixels)
    name = _name_of(source, name)
    native = _read(source, name, max_megapixels)
    return _finish(native, name, value_range(native))


def load_pair(
    reference: Source | Sequence[Source],
    current: Source,
    *,
    fit: str = "error",
    max_megapixels: float = 200.0,
) -> ImagePair:
    """Load two pictures, in two threads, and bring the current one to the size of the reference.

    A current picture of the same proportions, up to the pixel that rounding costs, is resized.

    Parameters
    ----------
    reference, current
        As `source` in `load`. `reference` may be a list of pictures that all show how it should
        be: the first of them is the reference, the others tell what may vary.
    fit
        For other proportions. ``"error"``: refuse. ``"crop"``: scale the current picture, its
        proportions kept, until it covers the reference, and cut off what juts out, equally on
        both sides. ``"pad"``: scale it to fit inside, centred; the rest is filled with the
        reference's own pixels, so that the padding is never a change.
    max_megapixels
        As in `load`, for each picture.

    Returns
    -------
    ImagePair
        Pictures of one size.

    Raises
    ------
    ImageError
        If one cannot be read, or their proportions do not allow the `fit`.
    SettingError
        If `fit` or `max_megapixels` is not what it can be.
    """
    if fit not in FITS:
        raise SettingError(f"fit={fit!r} is not possible; it can be {', '.join(map(repr, FITS))}")
    _check_limit(max_megapixels)
    if isinstance(reference, (list, tuple)) and not reference:
        raise SettingError("the list of reference pictures is empty; it needs at least one")
    first, *more = reference if isinstance(reference, (list, tuple)) else (reference,)
    sources = [first, current, *more]
    names = [_name_of(first, "reference"), _name_of(current, "current")]
    names += [_name_of(one, f"reference {number}") for number, one in enumerate(more, 2)]
    with ThreadPoolExecutor(2) as pool:
        # one file object can be read, and one PIL image unpacked, only once
        reads: dict[int, Future[Native]] = {}
        for one, name in zip(sources, names, strict=True):
            if id(one) not in reads:
                reads[id(one)] = pool.submit(_read, one, name, max_megapixels)
        natives = [reads[id(one)].result() for one in sources]
        reads.clear()  # what is stored in more than 8 bits goes as soon as it is converted
        ranges = [found for found in map(value_range, natives) if found]
        span, why = FULL_RANGE, ", the full range, because the other picture is not 16-bit"
        if len(ranges) == len(natives):
            span = min(low for low, _ in ranges), max(high for _, high in ranges)
            why = ", the range of both pictures together"

    natives.reverse()
    # One after the other, each in bands: so there is one at a time that is stored twice.
    ref, cur, *rest = [_finish(natives.pop(), name, span, why) for name in names]
    cur, valid, placement = _fitted(ref, cur, fit)
    others = tuple(_fitted(ref, one, fit)[0] for one in rest)
    said = {"reference": ref, "current": cur}
    said |= {f"reference {number}": one for number, one in enumerate(others, 2)}
    notes = tuple(f"{what}: {note}" for what, one in said.items() for note in one.notes)
    return ImagePair(ref, cur, notes, valid, placement, others)


def _check_limit(max_megapixels: float) -> None:
    if not isinstance(max_megapixels, (int, float)) or not max_megapixels > 0:
        raise SettingError(f"max_megapixels={max_megapixels!r} is not a positive number")


@contextmanager
def _blame(name: str) -> Iterator[None]:
    """Turn whatever goes wrong with a picture into an ImageError that names it."""
    name = shown(name)
    try:
        yield
    except BadImage as error:
        raise ImageError(f"{name} {error}") from None  # says all that the cause does
    except Exception as error:
        # Pillow and OpenCV meet bad data with OSError, SyntaxError, struct.error, KeyError,
        # MemoryError, cv2.error and more: no list of them is complete.
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = f"is damaged, or of a kind that cannot be read: {reason}"
        reason = TRUNCATED if "truncated" in str(error).lower() else reason
        raise ImageError(f"{name} {reason}") from error


def _name_of(source: object, default: str) -> str:
    if not isinstance(source, (str, os.PathLike)):
        return default
    name = os.fsdecode(source) or "''"
    return name if len(name) <= 300 else f"{name[:300]}…"


def _read(source: object, name: str, max_megapixels: float) -> Native:
    """Pixels of any `Source`, as stored."""
    # A PIL image cannot exist before PIL is imported: no need to import it in order to look.
    pil = sys.modules.get("PIL.Image")
    with _blame(name):
        if isinstance(source, (str, os.PathLike)):
            with _opened(os.fsdecode(source)) as file:
                return decode(file, max_megapixels)
        if isinstance(source, (bytes, bytearray, memoryview)):
            return decode(bytes(source), max_megapixels)
        if pil is not None and isinstance(source, pil.Image):
            # what is unpacked already is in memory: no limit
            limit = max_megapixels if getattr(source, "tile", None) else np.inf
            check_size(source.width, source.height, limit)
            return from_pil(source)
        if hasattr(source, "__array__"):
            return from_array(source)
        if hasattr(source, "read"):
            return decode(_read_file_object(source), max_megapixels)
        raise BadImage(
            f"is not a picture but a {type(source).__name__}; pass a path, the bytes of a file, a "
            "binary file object, a PIL image or a NumPy array"
        )


def _opened(given: str) -> BinaryIO:
    """The file, not buffered: readers ask for all of it, or for large pieces."""
    if URL.match(given):
        remedy = "download it and pass its path"
        if meant := from_url(given):
            remedy = f"pass the path that it stands for, {shown(meant)}"
        raise BadImage(f"is a URL, and those are not fetched; {remedy}")
    path = Path(given)
    try:
        path = path.expanduser()
        if path.is_dir():
            raise BadImage("is a folder, not a picture")
        if path.exists() and not path.is_file():  # reading a pipe or a device may never end
            raise BadImage("is not a regular file")
        return path.open(
            "rb", buffering=0
        )  # cv2.imread does not find paths beyond ASCII on Windows
    except FileNotFoundError as error:
        raise BadImage(f"does not exist{missing(given)}") from error
    except PermissionError as error:
        raise BadImage("may not be read: permission denied") from error
    except (OSError, RuntimeError, ValueError) as error:
        # Windows takes no control characters in names, and says of them only that it cannot.
        raise BadImage(f"cannot be read{misread(given) or f': {error}'}") from error


def _read_file_object(file: Any) -> bytes:
    data = file.read()
    if isinstance(data, str):
        raise BadImage("is a text file; open it with mode 'rb'")
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise BadImage(f"is no file: its read() gives a {type(data).__name__}, not bytes")
    if not data:
        raise BadImage("is empty (0 bytes); if it has been read before, call .seek(0) first")
    return bytes(data)


def _finish(native: Native, name: str, span: tuple[int, int] | None, why: str = "") -> Picture:
    """Convert pixels as stored to a picture; `span` is the range 16-bit values are scaled from."""
    try:
        array, notes = to_eight_bits(native, span, why)
    except BadImage as error:
        raise ImageError(f"{name} {error}") from None
    return Picture(array, name, notes)


def _fitted(
    reference: Picture, current: Picture, fit: str
) -> tuple[Picture, Box | None, Placement | None]:
    """Bring `current` to the size of `reference`; also where it lies, if it was padded."""
    (high, wide), (h, w) = reference.array.shape[:2], current.array.shape[:2]
    if (h, w) == (high, wide):
        return current, None, None
    was, wanted = f"{w} × {h}", f"{wide} × {high} pixels"
    # One side predicted from the other and the other picture is off by a pixel at most, as after
    # rounding: |h / w * wide - high| <= 1, or the same with pictures or sides exchanged.
    if abs(h * wide - high * w) <= max(h, w, high, wide):
        if min(h, w, high, wide) < LEAST_SIDE:
            raise ImageError(
                f"{current.name} is {was} pixels and {reference.name} is {wanted}: with a side "
                f"under {LEAST_SIDE} pixels there is nothing to resize by; compare pictures of "
                "one size"
            )
        note = f"resized from {was} to {wanted}, the size of the reference"
        placement = Placement((h, w), (w / wide, h / high), (0.0, 0.0))
        return _changed(current, _resized(current.array, wide, high), note), None, placement
    both = f"{current.name} is {was} pixels and {reference.name} is {wanted}"
    if fit == "error":
        raise ImageError(
            f'{both}, of other proportions; pass fit="crop" to scale the current picture and cut '
            'off what juts out, or fit="pad" to show all of it'
        )
    scale = (max if fit == "crop" else min)(wide / w, high / h)
    if fit == "crop":
        tall, broad = max(high, round(h * scale)), max(wide, round(w * scale))
        if high * wide < LEAST_CROP * tall * broad:
            raise ImageError(
                f'{both}: fit="crop" would leave less than {LEAST_CROP:.0%} of it; pass fit="pad"'
            )
        y, x = (tall - high) // 2, (broad - wide) // 2
        array = _resized(current.array, broad, tall)[y : y + high, x : x + wide]
        note = f"scaled from {was} to {broad} × {tall} and cropped to {wanted}"
        sx, sy = w / broad, h / tall
        placement = Placement((h, w), (sx, sy), (x * sx, y * sy))
        return _changed(current, array, f"{note}, the size of the reference"), None, placement
    tall, broad = min(high, max(1, round(h * scale))), min(wide, max(1, round(w * scale)))
    y, x = (high - tall) // 2, (wide - broad) // 2
    array = reference.array.copy()
    _resized(current.array, broad, tall, array[y : y + tall, x : x + broad])
    note = f"scaled from {was} to {broad} × {tall} and padded to {wanted} with the reference's own"
    sx, sy = w / broad, h / tall
    placement = Placement((h, w), (sx, sy), (-x * sx, -y * sy))
    return _changed(current, array, note), (x, y, broad, tall), placement


def _resized(
    array: NDArray[np.uint8], width: int, height: int, out: NDArray[np.uint8] | None = None
) -> NDArray[Any]:
    """Resize, averaging when shrinking (no moiré), cubic when enlarging; into `out` if given."""
    shrinks = height <= array.shape[0] and width <= array.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(array, (width, height), dst=out, interpolation=how)


def _changed(picture: Picture, array: NDArray[np.uint8], note: str) -> Picture:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return replace(picture, array=array, notes=(*picture.notes, note))


def __dir__() -> list[str]:
    return sorted(__all__)
