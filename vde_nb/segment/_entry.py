"""One kept embedding as a file: safetensors with a header that says whose it is.

Safetensors is a length, a JSON header and raw numbers: reading it runs nothing, unlike pickle.
The header carries our mark, the version of this format, the key and a digest of the content, so
a file that was cut short, overwritten, renamed or half written at a power cut is told from a
whole one.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import xxhash

__all__ = ["VERSION", "Arrays", "Unusable", "finite", "pack", "read", "read_about"]

#: Arrays of one embedding by name; float16 or float32.
Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"

#: Of the format; enters every key, so that two versions of vde-nb share a folder in peace.
VERSION = "1"

_MARK = "vde-nb-embedding"
_LONGEST_HEADER = 2**20  # ours have some hundred bytes
_EXPONENT = 0x7C00  # all of its bits are set in a float16 that is infinite or not a number


class Unusable(Exception):
    """A file is there that cannot be used.

    Attributes
    ----------
    ours
        Whether it may be replaced and removed: nobody else's file has a readable header
        without our mark, or is a link, a folder or a device.
    """

    def __init__(self, what: str, *, ours: bool) -> None:
        super().__init__(what)
        self.ours = ours


def finite(array: npt.NDArray[Any]) -> bool:
    """Whether a float16 or float32 array holds neither NaN nor infinity."""
    if array.dtype == np.float16:  # 14 times as fast as NumPy's isfinite, which widens each
        return not ((array.view(np.uint16) & _EXPONENT) == _EXPONENT).any()
    return bool(np.isfinite(array).all())


def pack(key: str, arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, str]) -> bytes:
    """Make the content of a file.

    Parameters
    ----------
    key
        What the embedding is found by.
    arrays
        Finite float16 or float32 arrays. A float32 array is stored as float16, which halves it,
        unless its greatest magnitude is none of a normal float16 (2**-14 to 65504): it would
        turn into infinity or lose its digits.
    about
        Words for people who look into the file.
    """
    from safetensors.numpy import save

    stored = {name: _stored(array) for name, array in arrays.items()}
    header = {
        _MARK: VERSION,
        "key": key,
        "content": _digest(stored),
        "about": json.dumps(dict(about)),
    }
    return bytes(save(stored, metadata=header))


def read(path: Path, key: str) -> Arrays:
    """Read the arrays kept under `key`, read-only.

    The file is read, not memory-mapped: a mapped one that another process truncates kills this.

    Raises
    ------
    Unusable
        The file is damaged, of another version, of another key, not ours, or holds NaN.
    OSError
        It is not there, or cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with _open(path) as file:
        header = _header(file)
        if header[_MARK] != VERSION:
            raise Unusable("comes from another version of vde-nb", ours=True)
        if header.get("key") != key:
            raise Unusable("belongs to another picture or model", ours=True)
        file.seek(0)
        data = file.read()
    try:
        arrays: Arrays = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise Unusable("was damaged", ours=True) from error
    if any(array.dtype not in (np.float16, np.float32) for array in arrays.values()):
        raise Unusable("holds other numbers than an embedding does", ours=True)
    if header.get("content") != _digest(arrays):
        raise Unusable("was damaged", ours=True)
    if not all(finite(array) for array in arrays.values()):
        raise Unusable("holds numbers that are not finite", ours=True)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def read_about(path: Path) -> dict[str, str]:
    """Read the words given to :func:`pack`, and nothing else of the file.

    Raises
    ------
    Unusable, OSError
        As :func:`read`.
    """
    with _open(path) as file:
        header = _header(file)
    try:
        return {str(name): str(word) for name, word in json.loads(header["about"]).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    peak = float(np.abs(array).max(initial=0))
    if array.dtype == np.float16 or peak == 0 or 2.0**-14 <= peak <= 65504:
        with np.errstate(all="ignore"):  # small values next to great ones become 0
            return array.astype(np.float16, order="C", copy=False)
    return array.astype(np.float32, order="C", copy=False)


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Digest of names, types, shapes and values; the arrays are C-contiguous."""
    digest = xxhash.xxh3_128()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _open(path: Path) -> BinaryIO:
    """Open a regular file; a link is not followed, a pipe is not waited for."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Unusable("is a link, a folder or a device", ours=False)
    # The flags hold also when the file is exchanged for a link just now; Windows has none of them.
    flags = [getattr(os, name, 0) for name in ("O_BINARY", "O_NOFOLLOW", "O_NONBLOCK")]
    return os.fdopen(os.open(path, os.O_RDONLY | flags[0] | flags[1] | flags[2]), "rb")


def _header(file: BinaryIO) -> dict[str, str]:
    """Read our part of the header."""
    length = int.from_bytes(file.read(8), "little")
    text = file.read(length) if length <= _LONGEST_HEADER else b""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Damaged or never ours: it has the name of an entry, and nobody can read it.
        raise Unusable("was damaged", ours=True) from error
    known = header.get("__metadata__") if isinstance(header, dict) else None
    if not isinstance(known, dict) or _MARK not in known:
        raise Unusable("was not written by vde-nb", ours=False)
    return known
