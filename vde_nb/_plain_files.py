"""Formats that store pixels nearly as they are, read without a decoder: BMP and PPM.

Only what Pillow does slowly, or with copies of a large picture, is read here; it keeps the rest.
"""

from __future__ import annotations

import re
import struct
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from vde_nb._native import BAND, LARGE, TRUNCATED, BadImage, Native, check_size, read_into

__all__ = ["read_bmp", "read_ppm"]

#: Kind, width, height and largest value; comments may stand anywhere between them.
_GAP = rb"(?:\s|#[^\n]*\n)+"
_PPM = re.compile(rb"P([56])" + 3 * (_GAP + rb"(\d{1,9})") + rb"\s")
_PPM_HEAD = 1024


def read_bmp(file: BinaryIO, size: int, max_megapixels: float) -> Native | None:
    """Decode a large BMP file of 24 bits; None for another, which is left to Pillow."""
    file.seek(0)
    head = file.read(34)
    if len(head) < 34:
        return None
    start, length, width, height, planes, bits, packing = struct.unpack_from("<I IiiHHI", head, 10)
    wide, high = width, abs(height)
    if length < 40 or planes != 1 or bits != 24 or packing or wide * high <= LARGE:
        return None
    check_size(wide, high, max_megapixels)
    line = (3 * wide + 3) // 4 * 4
    if start + line * high > size:
        raise BadImage(TRUNCATED)
    pixels: NDArray[Any] = np.empty((high, wide, 3), np.uint8)
    rows = pixels if height < 0 else pixels[::-1]  # the lowest row comes first
    step = max(1, BAND // wide)
    buffer = bytearray(step * line)
    for first in range(0, high, step):
        end = min(first + step, high)
        part = memoryview(buffer)[: (end - first) * line]
        read_into(file, start + first * line, part)
        stored = np.frombuffer(part, np.uint8).reshape(-1, line)[:, : 3 * wide]
        blue_first = np.ascontiguousarray(stored).reshape(-1, wide, 3)
        rows[first:end] = cv2.cvtColor(blue_first, cv2.COLOR_BGR2RGB)
    return Native(pixels)


def read_ppm(file: BinaryIO, size: int, max_megapixels: float) -> Native | None:
    """Decode a PGM or PPM file of an odd range; None for another.

    Pillow goes through those value by value, and takes a minute for 100 MB.
    """
    file.seek(0)
    head = _PPM.match(file.read(_PPM_HEAD))
    if head is None:
        return None
    kind, width, height, most = (int(group) for group in head.groups())
    if most in (0, 255, 65535) or most > 65535:
        return None
    check_size(width, height, max_megapixels)
    channels, deep = (1 if kind == 5 else 3), most > 255
    count = width * height * channels
    if head.end() + count * (2 if deep else 1) > size:
        raise BadImage(TRUNCATED)
    file.seek(head.end())
    data = bytearray(count * (2 if deep else 1))
    read_into(file, head.end(), memoryview(data))
    # Greys of more than 8 bits keep their depth, colours do not: as Pillow has it.
    full = 65535 if deep and kind == 5 else 255
    table = np.minimum(np.rint(np.arange(65536 if deep else 256) / most * full), full)
    table = table.astype(np.uint16 if full > 255 else np.uint8)
    values = np.frombuffer(data, ">u2" if deep else np.uint8)
    shape = (height, width) if channels == 1 else (height, width, 3)
    return Native(table[values].reshape(shape))
