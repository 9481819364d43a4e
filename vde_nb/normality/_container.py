"""Named arrays, pictures and a JSON text as one file, of which nothing is believed on reading.

Safetensors is a length, a JSON header and raw numbers: reading it runs nothing, unlike pickle. The
header carries our mark, the version of the format and a digest of everything, so a file that was
cut short, overwritten or made by someone else is told from a whole one. What the header claims is
compared with the size of the file before any memory is reserved.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xxhash

from vde_nb._decode import decode
from vde_nb._paths import absent
from vde_nb._png import png
from vde_nb.errors import WeightsError

__all__ = ["Arrays", "check_room", "pack", "packed_picture", "unpack", "unpacked_picture"]

Arrays: TypeAlias = "dict[str, npt.NDArray[Any]]"

_MARK, _VERSION = "vde-nb-normality", "1"
_TYPES = {
    "U8": np.uint8,
    "U16": np.uint16,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
}
_LONGEST_HEADER = 64 * 2**20  # bytes; a thousand normal pictures take half a megabyte
_LARGEST = 8 * 2**30  # bytes of a file
_AXES = 4
# Memory that pictures of a file may take: so much, or so many times the bytes of the file. PNG
# packs a plain area a thousandfold, but photographs and drawings of more than that much do not.
_ROOM, _PACKED = 2**30, 32


def pack(arrays: Mapping[str, npt.NDArray[Any]], about: Mapping[str, Any]) -> bytes:
    """Make the content of a file.

    Parameters
    ----------
    arrays
        Of 8, 16 or 32 bits, or int64; no float64.
    about
        What fits JSON.
    """
    stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    content = _digest(stored, text)
    # Written by hand: the library puts the words of a header in another order every time.
    header: dict[str, Any] = {"__metadata__": {_MARK: _VERSION, "content": content, "about": text}}
    at = 0
    # As the library does: the widest numbers first, so that each lies at a multiple of its size.
    order = sorted(stored, key=lambda name: (-stored[name].itemsize, name))
    for name in order:
        kind = next((kind for kind, one in _TYPES.items() if stored[name].dtype == one), None)
        if kind is None:
            raise TypeError(f"{name} cannot be saved: it holds {stored[name].dtype}.")
        end = at + stored[name].nbytes
        shape = list(stored[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, end]}
        at = end
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    numbers = [stored[name].reshape(-1).view(np.uint8).data for name in order]
    return b"".join([len(head).to_bytes(8, "little"), head, *numbers])


def unpack(path: Path) -> tuple[Arrays, Any]:
    """Read arrays, read-only, and what the JSON text says.

    Raises
    ------
    WeightsError
        The file cannot be read, is damaged, of another version, or none of ours.
    """
    try:
        data = _read(path)
        header, begin = _header(data)
        metadata = header.pop("__metadata__", None)
        if not isinstance(metadata, dict) or _MARK not in metadata:
            raise _Refused("is no saved model of normality")
        if metadata[_MARK] != _VERSION:
            raise _Refused(
                f"has format {str(metadata[_MARK])[:20]} of saved models, and this version of "
                f"vde-nb reads format {_VERSION}: fit the model again, or use the version of "
                "vde-nb it was saved with"
            )
        arrays = {name: _array(data, begin, claim) for name, claim in header.items()}
        _check_cover(header, len(data) - begin)
        text = metadata["about"]
        if metadata["content"] != _digest(arrays, text):
            raise _damaged()
        return arrays, json.loads(text)
    except _Refused as refused:
        raise WeightsError(f"{path} {refused}.") from None
    except FileNotFoundError as error:
        raise WeightsError(f"{absent(str(path))} Normality.save() writes one.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WeightsError(f"{path} cannot be read: {reason}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} {_damaged()}.") from error


class _Refused(Exception):
    """What is wrong with a file, to follow its name."""


def _damaged() -> _Refused:
    return _Refused("is damaged, or was not copied whole. Get it again from where it came")


def _read(path: Path) -> memoryview:
    """The bytes of a regular file; a pipe is not waited for.

    It is read, not memory-mapped: a mapped one that another process truncates kills this.
    """
    flags = [getattr(os, name, 0) for name in ("O_BINARY", "O_NONBLOCK")]
    with os.fdopen(os.open(path, os.O_RDONLY | flags[0] | flags[1]), "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise _Refused("is a folder or a device: give the file of a saved model")
        if info.st_size > _LARGEST:
            raise _Refused(f"has {info.st_size / 2**30:.0f} GiB, which no saved model has")
        # Before all of it is read: someone may have named a photograph or a film.
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(_LONGEST_HEADER, info.st_size - 8):
            raise _Refused("is no saved model of normality, or was not copied whole")
        return memoryview(start + file.read())


def _header(data: memoryview) -> tuple[dict[str, Any], int]:
    begin = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(bytes(data[8:begin]))
    except (ValueError, RecursionError) as error:
        raise _Refused("is no saved model of normality, or is damaged") from error
    if not isinstance(header, dict):
        raise _Refused("is no saved model of normality")
    return header, begin


def _array(data: memoryview, begin: int, claim: Any) -> npt.NDArray[Any]:
    """One array, a view of the file's bytes."""
    kind, shape, (first, end) = _TYPES[claim["dtype"]], claim["shape"], claim["data_offsets"]
    sizes = [*shape, first, end]
    if len(shape) > _AXES or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(claim)
    # In whole numbers without bounds: a product of shapes must not wrap around.
    if end - first != math.prod(shape) * np.dtype(kind).itemsize or begin + end > len(data):
        raise ValueError(claim)
    values = np.frombuffer(data[begin + first : begin + end], kind).reshape(shape)
    values.flags.writeable = False
    if values.dtype.kind == "f" and not _finite(values):
        raise _Refused("holds numbers that are not finite: fit the model again")
    return values


def _finite(values: npt.NDArray[Any]) -> bool:
    if values.dtype == np.float16:  # 14 times as fast as NumPy's isfinite, which widens each
        return not ((values.view(np.uint16) & 0x7C00) == 0x7C00).any()
    return bool(np.isfinite(values).all())


def _check_cover(header: Mapping[str, Any], size: int) -> None:
    """Arrays lie one after the other and fill the file: nothing is hidden, none overlap."""
    at = 0
    for first, end in sorted(tuple(claim["data_offsets"]) for claim in header.values()):
        if first != at:
            raise ValueError(first)
        at = end
    if at != size:
        raise ValueError(size)


def _digest(arrays: Mapping[str, npt.NDArray[Any]], text: str) -> str:
    """Digest of the text and of names, types, shapes and values of C-contiguous arrays."""
    digest = xxhash.xxh3_128(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def packed_picture(picture: npt.NDArray[np.uint8] | npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """A PNG file as an array of bytes."""
    return np.frombuffer(png(picture), np.uint8)


def unpacked_picture(data: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Open a PNG file that must have this shape; what claims to be larger is not opened.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` RGB uint8, also of a mask.

    Raises
    ------
    ValueError
        It is none, or of another shape.
    """
    if data[:4].tobytes() != b"\x89PNG":
        raise ValueError("not a PNG file")
    try:
        found = decode(data.tobytes(), shape[0] * shape[1] / 1e6).pixels
    except Exception as error:  # decoders meet bad data with exceptions of every kind
        raise ValueError("a picture that cannot be opened") from error
    if found.shape != (*shape, 3) or found.dtype != np.uint8:
        raise ValueError("not a picture of the size of the reference")
    return np.asarray(found, np.uint8)


def check_room(arrays: Arrays, shape: tuple[int, int], most: float) -> None:
    """Refuse pictures that take far more memory than they have any reason to.

    Parameters
    ----------
    arrays
        Of the file, its pictures among them.
    shape
        ``(H, W)`` of all pictures.
    most
        Megapixels a picture may have.

    Raises
    ------
    ValueError
        They do, or have no pixels.
    """
    pixels = shape[0] * shape[1]
    count = sum(name == "reference" or name.startswith(("normal.", "shown.")) for name in arrays)
    room = max(_ROOM, _PACKED * sum(array.nbytes for array in arrays.values()))
    if not 0 < pixels <= most * 1e6 or 3 * pixels * count > room:
        raise ValueError(f"{count} pictures of the shape {shape}")
