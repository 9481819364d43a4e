"""TIFF files: directories walked here, pixels decoded by Pillow or OpenCV, whole or in bands.

A band of a large file is decoded as a small TIFF file of its own, made of the strips or tiles it
needs and of the tags that say how they are stored. So whatever the decoders make of a whole file
they make of its bands, with the memory of a band. Rows that are stored as they are need none.
"""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from vde_nb._bands import for_each_band
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
    from_pil,
    imdecode_native,
    pil_pixels,
    read_into,
)
from vde_nb._tiff_tags import (
    BITS,
    COMPRESSION,
    COUNTS,
    EXTRA,
    FILL_ORDER,
    HEIGHT,
    HOW,
    KIND,
    MAGIC,
    ORIENTATION,
    PHOTOMETRIC,
    PLANES,
    SAMPLES,
    STARTS,
    STRIP_ROWS,
    TILE_COUNTS,
    TILE_HEIGHT,
    TILE_STARTS,
    TILE_WIDTH,
    WIDTH,
    Tags,
    count_pages,
    read_tags,
)

__all__ = ["MAGIC", "read_tiff"]


_MOST_TILE = 4096**2  # pixels that a tile may have in the smallest of pictures
_OLD_JPEG, _YCBCR = 6, 6
_MOST_UNIT = 32_000_000  # pixels of a strip, or of a row of tiles, that is decoded at once


def read_tiff(file: BinaryIO, size: int, max_megapixels: float) -> Native:
    """Decode the first page of a TIFF file of `size` bytes."""
    file.seek(0)
    head = file.read(16)
    order, big = "<" if head.startswith(b"II") else ">", b"+" in head[:4]
    if len(head) < (16 if big else 8):
        raise BadImage(TRUNCATED)
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
    tags = read_tags(file, size, start, order, big=big)
    width, height = tags.number(WIDTH), tags.number(HEIGHT)
    samples, bits = tags.number(SAMPLES, 1), max(tags.numbers(BITS, (1,)))
    check_size(width, height, max_megapixels)
    tile = tags.number(TILE_WIDTH, 0) * tags.number(TILE_HEIGHT, 0)
    if tile > max(4 * width * height, _MOST_TILE):
        raise BadImage("is a damaged TIFF: its tiles are larger than the picture")
    starts = tags.numbers(STARTS) or tags.numbers(TILE_STARTS)
    counts = tags.numbers(COUNTS) or tags.numbers(TILE_COUNTS)
    ends = [start + count for start, count in zip(starts, counts, strict=False)]
    if tags.number(COMPRESSION, 1) == 1 and tags.number(PHOTOMETRIC, -1) != _YCBCR and starts:
        # Uncompressed: the counts are not needed, and some writers give the last strip too long.
        ends = [min(starts) + width * height * samples * bits // 8]
    if not starts or max(ends, default=0) > size:
        raise BadImage(TRUNCATED)
    pages = count_pages(file, size, tags.next, order, big=big)
    if width * height > LARGE:
        layout = _layout(tags, starts, counts)
        if layout is not None:
            turn = tags.number(ORIENTATION, 1)
            turn = turn if 1 <= turn <= 8 else 1
            native = _in_bands(file, tags, layout, turn)
            return Native(native.pixels, file_notes(turn, pages, "pages") + native.notes)
    file.seek(0)
    data: bytes | bytearray = file.read()
    if len(data) < size:
        raise BadImage(TRUNCATED)
    if tags.next:
        # Decoders walk all the pages for the sake of the first, which may take hours.
        data = bytearray(data)
        data[tags.next_at : tags.next_at + (8 if big else 4)] = bytes(8 if big else 4)
    if _is_for_pillow(samples, bits):
        from PIL import TiffImagePlugin

        image = TiffImagePlugin.TiffImageFile(io.BytesIO(data), "")
        return _mended(from_pil(image, "pages", pages), tags)
    native = _by_opencv(data, tags, width * height)
    return Native(native.pixels, file_notes(tags.number(ORIENTATION, 1), pages, "pages"))


# A whole file, or a small one made of a band ------------------------------------------------------


def _is_for_pillow(samples: int, bits: int) -> bool:
    # Pillow opens 16-bit colours as 8-bit ones without a word, and colours in floats not at all.
    return bits <= 8 or (samples == 1 and bits <= 32)


def _mended(native: Native, tags: Tags) -> Native:
    """What Pillow leaves undone."""
    if tags.number(PHOTOMETRIC, -1) == 0 and native.pixels.dtype == np.uint16:
        # white is zero: Pillow sees to it in 8 bits but not in 16
        bits = max(tags.numbers(BITS, (1,)))
        return Native(np.uint16((1 << bits) - 1) - native.pixels, native.notes)
    return native


def _by_opencv(data: bytes | bytearray, tags: Tags, count: int) -> Native:
    """16-bit colours and floats, of `count` pixels.

    OpenCV reads both and, in this format, turns them upright whatever it is told. It decodes
    separate planes to wrong pixels, and grey + alpha to grey; premultiplied alpha stays so.
    """
    samples, bits = tags.number(SAMPLES, 1), max(tags.numbers(BITS, (1,)))
    kind, extra = max(tags.numbers(KIND, (1,))), tags.number(EXTRA, 0)
    dtype = {(1, 16): "uint16", (3, 32): "float32", (3, 64): "float64"}.get((kind, bits))
    odd = extra == 1 or (samples > 1 and tags.number(PLANES, 1) == 2)
    odd = odd or tags.number(PHOTOMETRIC, -1) not in (1, 2)
    if dtype is None or odd or samples not in (1, 3, 4):
        raise BadImage(
            f"is a kind of TIFF that cannot be read ({samples} samples of {bits} bits); "
            "save it as a PNG"
        )
    pixels = imdecode_native(data)
    if pixels.dtype != dtype or pixels.size != count * samples:
        raise BadImage(UNREADABLE)
    # a fourth sample of no stated meaning is no alpha
    return Native(pixels[..., :3] if samples == 4 and extra == 0 else pixels)


# In bands -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Where the strips or tiles of a large picture lie.

    Attributes
    ----------
    width, height
        In pixels.
    unit
        Rows of a strip or of a tile.
    across
        Tiles side by side; 1 for strips.
    planes
        Copies of all that, one per colour; 1 where colours lie side by side.
    starts, counts
        Bytes, plane by plane, row by row.
    plain
        Pixels are stored as an array would be.
    """

    width: int
    height: int
    unit: int
    across: int
    planes: int
    starts: Sequence[int]
    counts: Sequence[int]
    plain: bool


def _layout(tags: Tags, starts: tuple[int, ...], counts: tuple[int, ...]) -> _Layout | None:
    """Where the parts of the picture lie; None where it can be read whole only."""
    width, height = tags.number(WIDTH), tags.number(HEIGHT)
    samples, bits = tags.number(SAMPLES, 1), max(tags.numbers(BITS, (1,)))
    compression, photometric = tags.number(COMPRESSION, 1), tags.number(PHOTOMETRIC, -1)
    if compression == _OLD_JPEG or not 1 <= samples <= 16 or bits > 64:
        return None
    planes = samples if tags.number(PLANES, 1) == 2 else 1
    tiled = STARTS not in tags.entries
    unit = tags.number(TILE_HEIGHT, 0) if tiled else min(tags.number(STRIP_ROWS, height), height)
    wide = tags.number(TILE_WIDTH, 0) if tiled else width
    if unit < 1 or wide < 1:
        return None
    down, across = -(-height // unit), -(-width // wide)
    if len(starts) < down * across * planes:
        return None
    starts = starts[: down * across * planes]
    row = -(-wide * bits * (samples // planes) // 8)
    if compression != 1 or photometric == _YCBCR:
        if len(counts) < len(starts) or unit * wide * across > _MOST_UNIT:
            return None
        # A part cannot be longer than pixels that compress badly: more is never looked at.
        most = 2 * row * unit + 65536
        return _Layout(
            width, height, unit, across, planes, starts, [min(one, most) for one in counts], False
        )
    if tiled:
        if unit * wide * across > _MOST_UNIT:
            return None
        return _Layout(
            width, height, unit, across, planes, starts, [row * unit] * len(starts), False
        )
    if unit * width > 2 * BAND:
        # Rows as they are may be cut anywhere; all parts but the last are of one height.
        most = max(1, BAND // width)
        cut = most if down == 1 else next(rows for rows in range(most, 0, -1) if unit % rows == 0)
        starts = tuple(
            start + row * first
            for number, start in enumerate(starts)
            for first in range(0, min(unit, height - number % down * unit), cut)
        )
        unit = cut
    lengths = [
        row * min(unit, height - index % -(-height // unit) * unit) for index in range(len(starts))
    ]
    kind, fill = max(tags.numbers(KIND, (1,))), tags.number(FILL_ORDER, 1)
    plain = (samples, photometric) in ((1, 1), (3, 2)) and bits in (8, 16)
    plain = plain and kind == 1 and fill == 1 and planes == 1
    return _Layout(width, height, unit, 1, planes, starts, lengths, plain)


def _in_bands(file: BinaryIO, tags: Tags, layout: _Layout, turn: int) -> Native:
    """Decode band by band, several at once."""
    rows = max(1, BAND // layout.width // layout.unit) * layout.unit
    reading = threading.Lock()

    def decoded(first: int, end: int) -> Native:
        parts = _parts(layout, first, end)
        total = sum(layout.counts[part] for part in parts)
        if layout.plain:
            data = bytearray(total)
            starts = [0]
        else:
            data, starts = _small_file(tags, layout, end - first, parts)
        view, at = memoryview(data), starts[0]
        with reading:
            for part in parts:
                read_into(file, layout.starts[part], view[at : at + layout.counts[part]])
                at += layout.counts[part]
        if layout.plain:
            native = _plain(data, tags, layout)
        else:
            native = _small(data, tags, (end - first) * layout.width)
        if native.pixels.shape[:2] != (end - first, layout.width):
            raise BadImage(UNREADABLE)
        return native

    end = min(rows, layout.height)
    top = decoded(0, end)
    shape = (layout.height, *top.pixels.shape[1:])
    canvas = Canvas(shape, top.pixels.dtype, turn)
    canvas.stored[:end] = top.pixels

    def band(first: int, last: int) -> None:
        pixels = decoded(first + end, last + end).pixels
        if pixels.dtype != top.pixels.dtype or pixels.shape[2:] != shape[2:]:
            raise BadImage(UNREADABLE)
        canvas.stored[first + end : last + end] = pixels

    for_each_band(band, layout.height - end, layout.width, rows)
    return Native(canvas.upright, top.notes)


def _parts(layout: _Layout, first: int, end: int) -> list[int]:
    """Numbers of the strips or tiles that hold rows `first` to `end`."""
    down = -(-layout.height // layout.unit)
    return [
        (plane * down + row) * layout.across + column
        for plane in range(layout.planes)
        for row in range(first // layout.unit, -(-end // layout.unit))
        for column in range(layout.across)
    ]


def _plain(data: bytearray, tags: Tags, layout: _Layout) -> Native:
    """Rows as they are."""
    samples, bits = tags.number(SAMPLES, 1), max(tags.numbers(BITS, (1,)))
    kind = np.dtype(np.uint8 if bits == 8 else f"{tags.order}u2")
    shape = (-1, layout.width, samples) if samples > 1 else (-1, layout.width)
    pixels: NDArray[Any] = np.frombuffer(data, kind).reshape(shape)
    return Native(pixels.astype(kind.newbyteorder("="), copy=False))


def _small(data: bytearray, tags: Tags, count: int) -> Native:
    """Decode a band, which is not turned."""
    if not _is_for_pillow(tags.number(SAMPLES, 1), max(tags.numbers(BITS, (1,)))):
        return _by_opencv(data, tags, count)
    from PIL import TiffImagePlugin

    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data), "")
    image.load()
    return _mended(pil_pixels(image), tags)


def _small_file(
    tags: Tags, layout: _Layout, rows: int, parts: list[int]
) -> tuple[bytearray, list[int]]:
    """A TIFF file of some rows without its pixels, and where those have to be put."""
    tiled = TILE_WIDTH in tags.entries and STARTS not in tags.entries
    counts = [layout.counts[part] for part in parts]
    entries = {tag: value for tag, value in tags.entries.items() if tag in HOW}
    entries[WIDTH] = _longs(tags.order, [layout.width])
    entries[HEIGHT] = _longs(tags.order, [rows])
    entries[TILE_COUNTS if tiled else COUNTS] = _longs(tags.order, counts)
    places = TILE_STARTS if tiled else STARTS
    entries[places] = _longs(tags.order, [0] * len(counts))
    if not tiled:
        entries[STRIP_ROWS] = _longs(tags.order, [layout.unit])
    for tag, (kind, _, _) in list(entries.items()):
        if kind in (16, 17, 18):  # of large files only
            entries[tag] = _longs(tags.order, list(tags.numbers(tag)))
    values = 8 + 2 + 12 * len(entries) + 4
    at = values
    for _, _, value in entries.values():
        at += len(value) + len(value) % 2 if len(value) > 4 else 0
    starts = [at]
    for count in counts[:-1]:
        starts.append(starts[-1] + count)
    entries[places] = _longs(tags.order, starts)
    data = bytearray(at + sum(counts))
    data[:4] = b"II*\0" if tags.order == "<" else b"MM\0*"
    struct.pack_into(tags.order + "IH", data, 4, 8, len(entries))
    for number, (tag, (kind, count, value)) in enumerate(sorted(entries.items())):
        entry = 10 + 12 * number
        struct.pack_into(tags.order + "HHI", data, entry, tag, kind, count)
        if len(value) <= 4:
            data[entry + 8 : entry + 8 + len(value)] = value
            continue
        struct.pack_into(tags.order + "I", data, entry + 8, values)
        data[values : values + len(value)] = value
        values += len(value) + len(value) % 2
    return data, starts


def _longs(order: str, values: list[int]) -> tuple[int, int, bytes]:
    return 4, len(values), struct.pack(f"{order}{len(values)}I", *values)
