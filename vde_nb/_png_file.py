"""PNG files: structure walked here, pixels decoded by OpenCV, whole or in bands.

A large picture is one deflate stream, which is unpacked piece by piece; the filters of its rows
are undone by the decoder on bands of rows. Each is handed over as a small PNG file that is not
compressed, whose first row is the last one of the band before: that is all a filter looks back.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

try:
    from isal import isal_zlib
except ImportError:  # no build for this processor
    isal_zlib = None  # type: ignore[assignment]

from vde_nb._native import (
    BAND,
    LARGE,
    TRUNCATED,
    UNREADABLE,
    BadImage,
    Canvas,
    Native,
    check_size,
    file_notes,
    imdecode_native,
    imdecode_rgb,
    one_at_a_time,
    orientation_of,
    read_bytes,
    upright,
)

__all__ = ["SIGNATURE", "read_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_PALETTE = "palette colours written out as RGB"
_PIECE = 1 << 20  # bytes read at once
_MOST_EXIF = 1 << 20  # bytes: an EXIF block longer than that is none
_BAND = BAND // 4  # pixels: what is unpacked and what is decoded of it stay in the cache
#: Channels by the kind of colour, of those that are read in bands.
_CHANNELS = {0: 1, 2: 3, 6: 4}

_crc32 = zlib.crc32 if isal_zlib is None else isal_zlib.crc32


@dataclass(frozen=True)
class _Walk:
    """What the chunks of a file say.

    Attributes
    ----------
    pixels
        Kind, place and length of the body of each chunk that makes pixels.
    width, height, depth, colour, interlaced
        From the header.
    transparent
        Body of the chunk of that name; empty where there is none.
    turn, frames
        EXIF orientation; pictures of an animation.
    """

    pixels: list[tuple[bytes, int, int]]
    width: int
    height: int
    depth: int
    colour: int
    interlaced: int
    transparent: bytes
    turn: int
    frames: int


def read_png(file: BinaryIO, size: int, max_megapixels: float) -> Native:
    """Decode a PNG file of `size` bytes; of an animated one, its still picture."""
    walk = _walked(file, size, max_megapixels)
    large = walk.width * walk.height > LARGE
    plain = walk.colour in _CHANNELS and walk.depth >= 8
    if large and plain and not walk.transparent and not walk.interlaced:
        with one_at_a_time(walk.width, walk.height):
            return Native(_in_bands(file, walk), file_notes(walk.turn, walk.frames))
    with one_at_a_time(walk.width, walk.height):
        return _whole(file, walk)


def _walked(file: BinaryIO, size: int, max_megapixels: float) -> _Walk:
    pixels: list[tuple[bytes, int, int]] = []
    kind, position = b"", len(SIGNATURE)
    header = transparent = b""
    turn = frames = 1
    while kind != b"IEND":
        if position + 12 > size:
            raise BadImage(TRUNCATED)
        length, kind = struct.unpack(">I4s", read_bytes(file, position, 8))
        body, position = position + 8, position + 12 + length
        if position > size:
            raise BadImage(TRUNCATED)
        if kind in _PIXEL_CHUNKS:
            pixels.append((kind, body, length))
        if kind == b"IHDR" and len(pixels) == 1 and length == 13:
            header = read_bytes(file, body, 13)
            width, height = struct.unpack_from(">II", header)
            check_size(width, height, max_megapixels)
        elif kind == b"tRNS":
            transparent = read_bytes(file, body, min(length, 256))
        elif kind == b"eXIf":
            turn = orientation_of(read_bytes(file, body, length)) if length <= _MOST_EXIF else turn
        elif kind == b"acTL":
            frames = int.from_bytes(read_bytes(file, body, min(length, 4)), "big")
    if not header:
        raise BadImage("is a damaged PNG: it does not begin with its header")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    return _Walk(pixels, width, height, depth, colour, interlaced, transparent, turn, frames)


def _checked(kind: bytes, computed: int, stored: bytes) -> None:
    # Compared here because libpng's complaint goes to stderr.
    if computed != int.from_bytes(stored, "big"):
        raise BadImage(f"is a damaged PNG: its {kind.decode()} chunk fails its checksum")


def _whole(file: BinaryIO, walk: _Walk) -> Native:
    # Only the chunks that make pixels are kept for the decoder: libpng prints a warning for each
    # colour profile that it finds odd, and OpenCV 5 passes over the still picture of an animated
    # PNG.
    pure = bytearray(SIGNATURE)
    for kind, body, length in walk.pixels:
        chunk = read_bytes(file, body - 8, length + 12)
        _checked(kind, zlib.crc32(memoryview(chunk)[4:-4]), chunk[-4:])
        pure += chunk
    notes = file_notes(walk.turn, walk.frames)
    if walk.colour == 3:
        notes += (_PALETTE,)
    elif walk.depth < 8:
        notes += (f"{walk.depth}-bit greys written as 0–255",)
    if walk.depth < 16 and not walk.colour & 4 and not walk.transparent:
        return Native(upright(imdecode_rgb(pure), walk.turn), notes)
    pixels = imdecode_native(pure)
    if walk.colour == 0 and walk.transparent and pixels.ndim == 2:
        # one grey value that stands for "transparent": OpenCV does not know it
        key = int.from_bytes(walk.transparent, "big")
        key = key * 255 // ((1 << walk.depth) - 1) if walk.depth < 8 else key
        alpha = np.where(pixels == key, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)
        pixels = np.dstack([pixels, alpha])
    return Native(upright(pixels, walk.turn), notes)


# In bands -----------------------------------------------------------------------------------------


def _in_bands(file: BinaryIO, walk: _Walk) -> NDArray[Any]:
    """Unpack the rows and undo their filters, band by band."""
    channels = _CHANNELS[walk.colour]
    deep = walk.depth == 16
    shape: tuple[int, ...] = (walk.height, walk.width, max(3, channels))
    if deep and channels == 1:
        shape = shape[:2]
    canvas = Canvas(shape, np.uint16 if deep else np.uint8, walk.turn)
    line = walk.width * channels * walk.depth // 8
    rows = max(1, _BAND // walk.width)
    spans = [(first, min(first + rows, walk.height)) for first in range(0, walk.height, rows)]
    stream = _Stream(_compressed(file, walk))
    before = bytes(line)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(stream.take, spans[0][1] * (line + 1))
        for number, (first, end) in enumerate(spans):
            filtered = following.result()
            if number + 1 < len(spans):
                low, high = spans[number + 1]
                following = pool.submit(stream.take, (high - low) * (line + 1))
            data = _small_file(walk, end - first + 1, before, filtered)
            small = imdecode_rgb(data) if channels < 4 and not deep else imdecode_native(data)
            if small.shape != (end - first + 1, *shape[1:]) or small.dtype != canvas.stored.dtype:
                raise BadImage(UNREADABLE)
            canvas.stored[first:end] = small[1:]
            last = small[-1, :, 0] if channels == 1 and not deep else small[-1]
            before = (last.astype(">u2") if deep else last).tobytes()
    stream.finish()
    return canvas.upright


def _small_file(walk: _Walk, rows: int, before: bytes, filtered: bytearray) -> bytearray:
    """Rows as they are filtered as a PNG file, below one that is not."""
    pack = zlib.compressobj(0)  # as they are
    body = [pack.compress(b"\0" + before), pack.compress(filtered), pack.flush()]
    head = struct.pack(">IIBBBBB", walk.width, rows, walk.depth, walk.colour, 0, 0, 0)
    data = bytearray(SIGNATURE)
    for kind, parts in ((b"IHDR", [head]), (b"IDAT", body), (b"IEND", [])):
        checksum = _crc32(kind)
        data += struct.pack(">I", sum(map(len, parts))) + kind
        for part in parts:
            data += part
            checksum = _crc32(part, checksum)
        data += struct.pack(">I", checksum)
    return data


def _compressed(file: BinaryIO, walk: _Walk) -> Iterator[bytes]:
    """The compressed bytes, piece by piece; the checksums of all chunks are compared."""
    for kind, body, length in walk.pixels:
        checksum, end = _crc32(kind), body + length
        while body < end:
            piece = read_bytes(file, body, min(end - body, _PIECE))
            checksum = _crc32(piece, checksum)
            body += len(piece)
            if kind == b"IDAT":
                yield piece
        _checked(kind, checksum, read_bytes(file, end, 4))


class _Stream:
    """Unpacks a zlib stream that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""
        module = zlib if isal_zlib is None else isal_zlib
        self._unpacker = module.decompressobj()

    def take(self, count: int) -> bytearray:
        """The next `count` bytes."""
        out = bytearray()
        while len(out) < count:
            part = self._unpacker.decompress(self._left, count - len(out))
            self._left = self._unpacker.unconsumed_tail
            out += part
            if part or self._left:
                continue
            if self._unpacker.eof:
                raise BadImage("is a damaged PNG: it holds fewer rows than its header says")
            self._left = next(self._pieces, b"")
            if not self._left:
                raise BadImage(TRUNCATED)
        return out

    def finish(self) -> None:
        """Read what is left, for the sake of its checksums."""
        for _ in self._pieces:
            pass
