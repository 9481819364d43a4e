"""Embeddings are kept: a picture is encoded once, not once in every notebook.

Encoding a picture costs seconds, answering a prompt from its embedding milliseconds. Embeddings
are kept in memory and, as float16, on the disk, each bounded in bytes with what was used longest
ago dropped first. Any number of threads and processes may share the folder, and whatever is
wrong with the disk costs a picture's encoding, never an error.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from vde_nb._cache_folder import cache_folder
from vde_nb.errors import SettingError
from vde_nb.segment._entry import VERSION, Arrays, finite
from vde_nb.segment._entry_folder import KEY, EntryFolder
from vde_nb.stages import StageCache

__all__ = ["Arrays", "EmbeddingCache", "embedding_key", "pixels_key", "shared"]

_MEMORY = 512 * 2**20
_DISK = 4 * 2**30


def pixels_key(image: npt.NDArray[Any]) -> str:
    """Digest of a picture's shape and pixels: 32 hexadecimal digits.

    The same as :attr:`vde_nb.images.Picture.key`; an array that is a view with gaps, turned or
    mirrored has the digest of its copy.

    Parameters
    ----------
    image
        ``(H, W, 3)`` uint8.
    """
    digest = xxhash.xxh3_128(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def embedding_key(pixels: str, model: str, weights: str, preprocessing: str, dtype: str) -> str:
    """Digest of everything an embedding depends on: 64 hexadecimal digits, safe as a file name.

    Parameters
    ----------
    pixels
        :func:`pixels_key` of the picture.
    model
        Such as ``"sam_vit_b"``.
    weights
        Digest of the weights' content.
    preprocessing
        How the picture becomes the model's frame, such as ``"longest-1024-bilinear"``.
    dtype
        What the encoder computes in, such as ``"float32"``.
    """
    # JSON keeps the parts apart: "ab" + "c" is not "a" + "bc".
    parts = json.dumps([VERSION, pixels, model, weights, preprocessing, dtype])
    return hashlib.sha256(parts.encode()).hexdigest()


class EmbeddingCache:
    """Embeddings by key, in memory and on the disk.

    Parameters
    ----------
    folder
        Where files lie; ``embeddings`` in the cache folder (``VDE_NB_CACHE``) by default. It is
        made when the first embedding is written, readable by its owner only.
    memory_bytes
        Most bytes kept in memory.
    disk_bytes
        Most bytes kept in the folder; 0 keeps none there. By default what
        ``VDE_NB_CACHE_LIMIT`` says (``"4GB"``), or else 4 GiB.
    """

    def __init__(
        self,
        folder: Path | None = None,
        memory_bytes: int = _MEMORY,
        disk_bytes: int | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._memory = StageCache(memory_bytes)
        self._said: dict[str, None] = {}
        self._untold: list[str] = []
        limit = _DISK if disk_bytes is None else disk_bytes
        if disk_bytes is None:
            try:
                limit = _limit_asked()
            except SettingError as error:
                self._say(f"{error} {limit / 1e9:.1f} GB are used.")
        if folder is None:
            try:
                folder = cache_folder() / "embeddings"
            except SettingError as error:
                self._say(f"{error} Until then embeddings are kept in memory only.")
        self._folder = EntryFolder(folder, limit, self._say) if folder else None
        #: Where embeddings are read from and written to, if anywhere.
        self._disk = self._folder if limit > 0 else None

    def get(self, key: str) -> Arrays | None:
        """Find an embedding.

        Returns
        -------
        dict or None
            Read-only arrays by name. From memory the very ones that were put; from the disk
            float16, where they were float32 rounded to it.
        """
        _check(key)
        kept: tuple[tuple[str, npt.NDArray[Any]], ...] | None = self._memory.get(key)
        if kept is not None:
            if self._disk:
                self._disk.use(key)
            return dict(kept)
        arrays = self._disk.read(key) if self._disk else None
        if arrays is not None:
            self._memory.put(key, tuple(arrays.items()))
        return arrays

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]], **about: str) -> None:
        """Keep an embedding, dropping those used longest ago where room is needed.

        Parameters
        ----------
        key
            Of :func:`embedding_key`.
        arrays
            Float16 or float32, by name; they are made read-only. With NaN or infinity in them
            nothing is kept, and :meth:`note` says so.
        **about
            Words written into the file for people; ``model`` is shown by ``vde-nb cache info``.

        Raises
        ------
        TypeError
            An array is neither float16 nor float32.
        """
        _check(key)
        owned = {name: _own(name, array) for name, array in arrays.items()}
        if not all(finite(array) for array in owned.values()):
            self._say(
                "An embedding holds numbers that are not finite and is not kept; "
                "full precision (float32) may help."
            )
            return
        self._memory.put(key, tuple(owned.items()))
        if self._disk:
            self._disk.write(key, owned, about)

    def note(self) -> str:
        """What went wrong since this was last asked, or ""; each thing is said once."""
        with self._lock:
            text, self._untold = " ".join(self._untold), []
        return text

    def info(self) -> dict[str, Any]:
        """What is kept: on the disk by whomever, and in memory by this object.

        Returns
        -------
        dict
            ``folder``, ``entries``, ``bytes``, ``limit``, ``models`` (name to entries and
            bytes), ``memory_entries``, ``memory_bytes``, ``memory_limit`` and ``notes``:
            everything that went wrong so far.
        """
        models = self._folder.models() if self._folder else {}
        return {
            "folder": str(self._folder.path) if self._folder else "",
            "entries": sum(one["entries"] for one in models.values()),
            "bytes": sum(one["bytes"] for one in models.values()),
            "limit": self._folder.limit if self._folder else 0,
            "models": models,
            "memory_entries": len(self._memory),
            "memory_bytes": self._memory.bytes_used,
            "memory_limit": self._memory.max_bytes,
            "notes": list(self._said),
        }

    def clear(self) -> int:
        """Forget everything, here and on the disk; files that are not ours stay.

        Returns
        -------
        int
            Bytes freed on the disk.
        """
        self._memory.clear()
        return self._folder.clear() if self._folder else 0

    def __repr__(self) -> str:
        return f"EmbeddingCache({str(self._folder.path) if self._folder else ''!r})"

    def _say(self, text: str) -> None:
        with self._lock:
            if text not in self._said:
                self._said[text] = None
                self._untold.append(text)


def _check(key: str) -> None:
    # A key is a file's name: nothing but a digest may become one.
    if not KEY.fullmatch(key):
        raise SettingError(f"key={key!r} is no digest; make keys with embedding_key().")


def _own(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`array` made read-only; a copy where it would keep a larger array alive."""
    if array.dtype not in (np.float16, np.float32):
        raise TypeError(f"{name}: an embedding is float16 or float32, not {array.dtype}")
    if isinstance(array.base, np.ndarray) and array.base.nbytes > array.nbytes:
        array = array.copy()
    array.flags.writeable = False
    return array


def _limit_asked() -> int:
    """Bytes that ``VDE_NB_CACHE_LIMIT`` names: ``4GB``, ``500 MiB``, ``0``."""
    text = os.environ.get("VDE_NB_CACHE_LIMIT", "").strip()
    if not text:
        return _DISK
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)(i?)b?", text, re.IGNORECASE)
    if not found:
        raise SettingError(
            f"VDE_NB_CACHE_LIMIT={text!r} is no size; write one such as 4GB or 500MB."
        )
    number, prefix, binary = found.groups()
    base = 1024 if binary else 1000
    return int(float(number) * base ** " kmgt".index(prefix.lower() or " "))


_shared: tuple[tuple[str, str], EmbeddingCache] | None = None
_sharing = threading.Lock()


def shared() -> EmbeddingCache:
    """The cache of this process; another one once the environment names another folder."""
    global _shared
    named = os.environ.get("VDE_NB_CACHE", ""), os.environ.get("VDE_NB_CACHE_LIMIT", "")
    with _sharing:
        if _shared is None or _shared[0] != named:
            _shared = named, EmbeddingCache()
        return _shared[1]
