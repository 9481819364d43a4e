"""The bytes of a picture file, or a PIL image -> pixels as they are stored, the right way up.

OpenCV decodes JPEG, PNG and WebP, faster than Pillow, and those TIFF files that Pillow would cut
down to 8 bits or cannot open. Pillow decodes the rest. Neither is trusted with the orientation, nor
JPEG and PNG with a broken file, of which some versions return a half-grey picture and most print to
stderr from C: the structure of those is walked here first, which also yields the size (a
decompression bomb must not be opened), the orientation and the number of frames.
"""

from __future__ import annotations

import importlib
import io
import math
import re
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
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
TRUNCATED = "is truncated: the file ends before the picture does; copy or save it again"
_UNREADABLE = "is damaged, or of a kind that cannot be decoded; save it again as an 8-bit PNG"
_PALETTE = "palette colours written out as RGB"
_CMYK = "CMYK inks converted to RGB without a colour profile"

# A JPEG marker that is neither a stuffed zero, nor a restart, nor a fill byte. 0xFF is rare in
# compressed data, so the search runs at memory speed.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])", re.DOTALL)
_PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
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
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


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


def decode(data: bytes, max_megapixels: float) -> Native:
    """Decode a picture file, whose header must not speak of more than `max_megapixels`.

    Raises
    ------
    BadImage
        If the data are no picture, truncated, damaged, or larger than allowed. Decoders meet bad
        data with exceptions of every kind; those are let through for the caller to translate.
    """
    if not data:
        raise BadImage("is empty (0 bytes)")
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data, max_megapixels)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data, max_megapixels)
    if data.startswith(_TIFF_MAGIC):
        return _tiff(data, max_megapixels)
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
    turn = _pil_orientation(image)
    pixels = _imdecode_native(data) if image.mode == "RGBA" else _imdecode_rgb(data)
    return Native(_upright(pixels, turn), _file_notes(turn))


def from_pil(image: Image.Image, unit: str = "frames") -> Native:
    """Take the pixels of a PIL image, turned upright; `unit` is what its frames are called."""
    frames, frame = getattr(image, "n_frames", 1), image.tell()
    turn = _pil_orientation(image)
    with _no_pillow_limit:
        image.load()
    native = _pil_pixels(image)
    # Asked again, as Pillow turns a TIFF upright while loading it, and forgets the orientation.
    pixels = _upright(native.pixels, _pil_orientation(image))
    return Native(pixels, _file_notes(turn, frames, unit, frame) + native.notes)


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
            turn = turn or _orientation(segment[6:])
        elif marker == 0xE2 and segment.startswith(b"MPF\0"):
            frames = _ifd_value(segment[4:], 0xB001)
        scans += marker == 0xDA
    else:
        raise BadImage(TRUNCATED)
    if head is None or not scans:
        raise BadImage("is a damaged JPEG: it holds no picture")
    check_size(head.width, head.height, max_megapixels)
    if head.precision != 8:
        raise BadImage(f"is a {head.precision}-bit JPEG; save it as a 16-bit PNG or TIFF")
    notes = _file_notes(turn, frames) + ((_CMYK,) if head.components == 4 else ())
    return Native(_upright(_imdecode_rgb(data), turn), notes)


def _png(data: bytes, max_megapixels: float) -> Native:
    # Only the chunks that make pixels are kept for the decoder: libpng prints a warning for each
    # colour profile that it finds odd, and OpenCV 5 passes over the still picture of an animated
    # PNG. Checksums are compared here because libpng's complaint goes to stderr, too.
    view, kept, kind = memoryview(data), [memoryview(data)[:8]], b""
    transparent, turn, frames, position = b"", 1, 1, 8
    while kind != b"IEND":
        if position + 12 > len(data):
            raise BadImage(TRUNCATED)
        length, kind = struct.unpack_from(">I4s", data, position)
        body, end = position + 8, position + 12 + length
        if end > len(data):
            raise BadImage(TRUNCATED)
        if kind in _PNG_PIXEL_CHUNKS:
            checksum = int.from_bytes(view[end - 4 : end], "big")
            if zlib.crc32(view[position + 4 : end - 4]) != checksum:
                raise BadImage(f"is a damaged PNG: its {kind.decode()} chunk fails its checksum")
            kept.append(view[position:end])
        if kind == b"tRNS":
            transparent = data[body : end - 4]
        elif kind == b"eXIf":
            turn = _orientation(data[body : end - 4])
        elif kind == b"acTL":
            frames = int.from_bytes(data[body : body + 4], "big")
        position = end
    if bytes(kept[1][4:8]) != b"IHDR" or len(kept[1]) != 25:
        raise BadImage("is a damaged PNG: it does not begin with its header")
    width, height, depth, colour = struct.unpack_from(">IIBB", kept[1], 8)
    check_size(width, height, max_megapixels)
    notes, pure = _file_notes(turn, frames), b"".join(kept)
    if colour == 3:
        notes += (_PALETTE,)
    elif depth < 8:
        notes += (f"{depth}-bit greys written as 0–255",)
    if depth < 16 and not colour & 4 and not transparent:
        return Native(_upright(_imdecode_rgb(pure), turn), notes)
    pixels = _imdecode_native(pure)
    if colour == 0 and transparent and pixels.ndim == 2:
        # one grey value that stands for "transparent": OpenCV does not know it
        key = int.from_bytes(transparent, "big")
        key = key * 255 // ((1 << depth) - 1) if depth < 8 else key
        alpha = np.where(pixels == key, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
        pixels = np.dstack([pixels, alpha])
    return Native(_upright(pixels, turn), notes)


def _tiff(data: bytes, max_megapixels: float) -> Native:
    from PIL import TiffImagePlugin

    def directory(offset: int) -> Any:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if b"+" in data[:4] else 8])
        offset = offset or tags.next
        if offset + 2 > len(data):
            raise BadImage(TRUNCATED)
        file.seek(offset)
        tags.load(file)
        return tags

    file = io.BytesIO(data)
    tags = directory(0)
    width, height, samples, photometric = tags[256], tags[257], tags.get(277, 1), tags.get(262)
    bits, kind, extra = max(tags.get(258, (1,))), max(tags.get(339, (1,))), tags.get(338, (0,))[0]
    check_size(width, height, max_megapixels)
    starts = tags.get(273) or tags.get(324) or ()
    counts = tags.get(279) or tags.get(325) or ()
    ends = [start + count for start, count in zip(starts, counts, strict=False)]
    if tags.get(259, 1) == 1 and photometric != 6 and starts:
        # Uncompressed: the counts are not needed, and some writers give the last strip too long.
        ends = [min(starts) + width * height * samples * bits // 8]
    if not starts or max(ends, default=0) > len(data):
        raise BadImage(TRUNCATED)

    if bits <= 8 or (samples == 1 and bits <= 32):
        file.seek(0)
        native = from_pil(TiffImagePlugin.TiffImageFile(file, ""), "pages")
        if photometric == 0 and native.pixels.dtype == np.uint16:
            # white is zero: Pillow sees to it in 8 bits but not in 16
            return Native(np.uint16((1 << bits) - 1) - native.pixels, native.notes)
        return native

    # Pillow opens 16-bit colours as 8-bit ones without a word, and colours in floats not at all.
    # OpenCV reads both and, in this format, turns them upright whatever it is told. It decodes
    # separate planes to wrong pixels, and grey + alpha to grey; premultiplied alpha stays so.
    dtype = {(1, 16): "uint16", (3, 32): "float32", (3, 64): "float64"}.get((kind, bits))
    odd = extra == 1 or (samples > 1 and tags.get(284) == 2) or photometric not in (1, 2)
    if dtype is None or odd or samples not in (1, 3, 4):
        raise BadImage(
            f"is a kind of TIFF that cannot be read ({samples} samples of {bits} bits); "
            "save it as a PNG"
        )
    pixels = _imdecode_native(data)
    if pixels.dtype != dtype or pixels.size != width * height * samples:
        raise BadImage(_UNREADABLE)
    pages, following, seen = 1, tags.next, {0}
    while following not in seen:  # a last directory may point back, or nowhere
        seen.add(following)
        with suppress(BadImage):
            pages, following = pages + 1, directory(following).next
    # a fourth sample of no stated meaning is no alpha
    pixels = pixels[..., :3] if samples == 4 and extra == 0 else pixels
    return Native(pixels, _file_notes(tags.get(274, 1), pages, "pages"))


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


_no_pillow_limit = _PillowLimit()


def _open(data: bytes) -> Image.Image | None:
    """Read the header of a picture with Pillow; None if it is of no kind that is known."""
    from PIL import Image, UnidentifiedImageError

    try:
        for name in _PILLOW_PLUGINS.values():
            importlib.import_module(f"PIL.{name}ImagePlugin")
        known = tuple(name for name in _PILLOW_PLUGINS if name in Image.OPEN)
        with _no_pillow_limit:
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


def _imdecode_rgb(data: bytes) -> NDArray[Any]:
    """Decode to RGB, 8 bits, as stored: (H, W, 3) uint8."""
    flag: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)  # absent from older OpenCV 4
    if flag is not None:
        return _imdecode(data, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    pixels = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _imdecode_native(data: bytes) -> NDArray[Any]:
    """Decode with the channels and depth of the file, in the order R, G, B, A."""
    pixels = _imdecode(data, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return pixels
    if pixels.dtype == np.float64:  # no colour conversion of OpenCV's takes these
        return pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _imdecode(data: bytes, flags: int) -> NDArray[Any]:
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise BadImage(_UNREADABLE)
    return pixels


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Undo an EXIF orientation: 5 to 8 are 1 to 4 with rows and columns exchanged."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cv2.flip(pixels, flip)


def _orientation(exif: bytes) -> int:
    """Orientation (1 to 8) from a block of EXIF; 1 when absent or nonsense, as viewers do."""
    value = _ifd_value(exif, 0x0112)
    return value if 1 <= value <= 8 else 1


def _ifd_value(block: bytes, tag: int) -> int:
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


def _file_notes(
    turn: int, frames: int = 1, unit: str = "frames", frame: int = 0
) -> tuple[str, ...]:
    """Say which of several frames was used, and how it was turned."""
    which = "first" if frame == 0 else f"number {frame + 1}"
    notes: tuple[str, ...] = (f"{which} of {frames} {unit} used",) if frames > 1 else ()
    done = {2: "mirrored", 4: "mirrored", 5: "rotated and mirrored", 7: "rotated and mirrored"}
    if 2 <= turn <= 8:
        notes += (f"{done.get(turn, 'rotated')} as its EXIF orientation says",)
    return notes


def _pil_orientation(image: Image.Image) -> int:
    with suppress(Exception):  # damaged EXIF makes a picture no less readable
        value = image.getexif().get(0x0112, 1)
        return value if value in range(1, 9) else 1
    return 1


def _pil_pixels(image: Image.Image) -> Native:
    """Take the pixels of a loaded PIL image of any mode."""
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
