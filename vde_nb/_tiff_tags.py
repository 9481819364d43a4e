"""Directories of TIFF files: the tags that say where pixels lie and how they are stored."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from vde_nb._native import BadImage, read_bytes

__all__ = [
    "BITS",
    "COMPRESSION",
    "COUNTS",
    "EXTRA",
    "FILL_ORDER",
    "HEIGHT",
    "HOW",
    "KIND",
    "MAGIC",
    "ORIENTATION",
    "PHOTOMETRIC",
    "PLANES",
    "SAMPLES",
    "STARTS",
    "STRIP_ROWS",
    "TILE_COUNTS",
    "TILE_HEIGHT",
    "TILE_STARTS",
    "TILE_WIDTH",
    "WIDTH",
    "Tags",
    "count_pages",
    "read_tags",
]

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

#: Bytes of a value, and how it is unpacked, by the number of its type.
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, STARTS, ORIENTATION, SAMPLES, STRIP_ROWS = 266, 273, 274, 277, 278
COUNTS, PLANES, TILE_WIDTH, TILE_HEIGHT = 279, 284, 322, 323
TILE_STARTS, TILE_COUNTS, EXTRA, KIND = 324, 325, 338, 339
#: Tags that say how pixels are stored and what they mean: all that a band needs of them.
HOW = {BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, SAMPLES, PLANES, EXTRA, KIND}
HOW |= {TILE_WIDTH, TILE_HEIGHT, 292, 293, 317, 320, 332, 333, 334, 336, 347}
HOW |= {529, 530, 531, 532}
_WHERE = {WIDTH, HEIGHT, STARTS, COUNTS, TILE_STARTS, TILE_COUNTS, STRIP_ROWS, ORIENTATION}

_MOST_ENTRIES = 4096  # of a directory: camera raw files have some hundreds
_MOST_PAGES = 10_000  # counted for the note
_SLACK = 16 << 20  # bytes that tags may claim beyond twice the file


@dataclass(frozen=True)
class Tags:
    """The first directory of a file.

    Attributes
    ----------
    order
        ``"<"`` or ``">"``.
    entries
        ``{tag: (type, count, bytes)}``, of the tags that are of use here.
    next, next_at
        Where the next directory lies, 0 for none; and where in the file that is written.
    """

    order: str
    entries: dict[int, tuple[int, int, bytes]]
    next: int
    next_at: int

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The values of a tag of whole numbers."""
        kind, count, data = self.entries.get(tag, (0, 0, b""))
        if kind not in _LETTERS or not count:
            return default
        return struct.unpack(f"{self.order}{count}{_LETTERS[kind]}", data)

    def number(self, tag: int, default: int | None = None) -> int:
        """The first of them."""
        found = self.numbers(tag, () if default is None else (default,))
        if not found:
            raise BadImage(f"is a damaged TIFF: its tag {tag} is missing")
        return found[0]


def read_tags(file: BinaryIO, size: int, start: int, order: str, *, big: bool) -> Tags:
    """Read a directory, and the values of the tags that are of use."""
    counter, entry, inline = ("Q", 20, 8) if big else ("H", 12, 4)
    word = order + ("Q" if big else "I")
    data = read_bytes(file, start, struct.calcsize(order + counter))
    (count,) = struct.unpack(order + counter, data)
    if count > _MOST_ENTRIES:
        raise BadImage(f"is a damaged TIFF: its directory has {count} entries")
    table_at = start + len(data)
    table = read_bytes(file, table_at, count * entry + inline)
    entries: dict[int, tuple[int, int, bytes]] = {}
    told = 0
    for at in range(0, count * entry, entry):
        tag, kind = struct.unpack_from(order + "HH", table, at)
        (many,) = struct.unpack_from(word, table, at + 4)
        length = many * _BYTES.get(kind, 0)
        told += length
        # Decoders read the values of every tag: many large ones at one place make a bomb.
        if told > 2 * size + _SLACK:
            raise BadImage("is a damaged TIFF: its tags are larger than the file")
        if tag not in HOW and tag not in _WHERE:
            continue
        value_at = table_at + at + entry - inline
        if length > inline:
            (value_at,) = struct.unpack_from(word, table, at + entry - inline)
        if length and value_at + length <= size:
            entries[tag] = kind, many, read_bytes(file, value_at, length)
    (following,) = struct.unpack_from(word, table, count * entry)
    return Tags(order, entries, following, table_at + count * entry)


def count_pages(file: BinaryIO, size: int, following: int, order: str, *, big: bool) -> int | str:
    """How many pages there are; a last directory may point back, or nowhere."""
    counter, entry = (order + "Q", 20) if big else (order + "H", 12)
    word = order + ("Q" if big else "I")
    pages, seen = 1, {0}
    while following not in seen and pages < _MOST_PAGES:
        seen.add(following)
        try:
            (count,) = struct.unpack(counter, read_bytes(file, following, struct.calcsize(counter)))
            at = following + struct.calcsize(counter) + count * entry
            (following,) = struct.unpack(word, read_bytes(file, at, struct.calcsize(word)))
        except BadImage:
            break
        pages += 1
    return pages if pages < _MOST_PAGES else f"{_MOST_PAGES} or more"
