"""Which pairs are the same: by content, and by what they are called.

Content is hashed with SHA-256, not with the faster hash of the stage cache: whoever hands over
pictures must not be able to make two that are taken for identical.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from vde_nb.images import ImagePair, Picture

if TYPE_CHECKING:
    from hashlib import _Hash

    from vde_nb.batch._pairs import Given

__all__ = ["Identities", "Stamp", "Stamps", "is_as_it_was", "stamp_of"]

#: Size in bytes and time of writing in whole seconds: finer ones differ between machines.
Stamp: TypeAlias = tuple[int, int]
#: The files of a pair, as they were when they were hashed.
Stamps: TypeAlias = tuple[tuple[str, Stamp], ...]

_BLOCK = 1 << 20
_KEPT = 4096  # files whose hash is remembered: one reference may serve for thousands of pairs
#: Seconds after which a file's time stamp tells whether it was written again.
_SETTLED = 2.0


class Identities:
    """Gives pairs their identity, in the order in which they come."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[tuple[int, ...], bytes]] = OrderedDict()
        self._times_seen: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self.bytes_hashed = 0

    def content_of(self, pair: Given) -> tuple[bytes | None, Stamps]:
        """The key of a pair's content, and its files as they are now; on any thread.

        Returns
        -------
        tuple
            16 bytes that two pairs share if and only if their pictures are the same, None where
            one cannot be read; and what :func:`is_as_it_was` asks for.
        """
        if pair.problem:  # no pictures: all that are wrong would look alike
            return None, ()
        stamps: list[tuple[str, Stamp]] = []
        try:
            return self._content((pair.reference, pair.current), stamps), tuple(stamps)
        except Exception:
            # Whoever compares it says what is wrong; sources run code of the user's.
            return None, ()

    def name(self, pair: Given, content: bytes | None) -> str:
        """Identity of a pair, given in the order of the pairs.

        Returns
        -------
        str
            32 hexadecimal digits, of the name, of what the pictures are called and of their
            content, and for exact repetitions of how many there were before.
        """
        told = pair.problem or (content.hex() if content else "unreadable")
        named = json.dumps([pair.name, *pair.texts, told])
        base = hashlib.sha256(named.encode()).digest()[:16]
        times = self._times_seen.get(base, 0)
        self._times_seen[base] = times + 1
        if times:
            base = hashlib.sha256(base + times.to_bytes(8, "little")).digest()[:16]
        return base.hex()

    def _content(self, source: Any, stamps: list[tuple[str, Stamp]]) -> bytes:
        """Hash of what a source shows, 16 bytes."""
        digest = hashlib.sha256()
        if isinstance(source, (str, os.PathLike)):
            return self._file(os.fspath(source), stamps)
        if isinstance(source, bytes):
            digest.update(b"file")
            digest.update(source)
        elif isinstance(source, (tuple, list)):
            digest.update(b"list")
            for one in source:
                digest.update(self._content(one, stamps))
        elif source is None:
            digest.update(b"none")
        elif isinstance(source, ImagePair):
            placed = (source.valid, source.placement, source.notes)
            digest.update(b"pair" + repr(placed).encode("utf-8", "replace"))
            for picture in (source.reference, source.current, *source.others):
                digest.update(self._content(picture, stamps))
        elif isinstance(source, Picture):
            digest.update(repr(source.notes).encode("utf-8", "replace"))
            _add_array(digest, source.array)
        elif hasattr(source, "getexif"):  # an image of Pillow's
            _add_pillow(digest, source)
        else:
            _add_array(digest, np.asarray(source))
        return digest.digest()[:16]

    def _file(self, path: str, stamps: list[tuple[str, Stamp]]) -> bytes:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # opening a pipe may never end
            raise ValueError(f"{path} is not a regular file")
        with Path(path).open("rb") as file:
            info = os.fstat(file.fileno())
            stamps.append((path, (info.st_size, int(info.st_mtime))))
            facts = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
            with self._lock:
                known = self._files.get(path)
                if known is not None and known[0] == facts:
                    self._files.move_to_end(path)
                    return known[1]
            digest, size = hashlib.sha256(b"file"), 0
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        found = digest.digest()[:16]
        with self._lock:
            self.bytes_hashed += size
            if time.time() - info.st_mtime > _SETTLED:
                self._files[path] = facts, found
                while len(self._files) > _KEPT:
                    self._files.popitem(last=False)
        return found


def _add_array(digest: _Hash, array: np.ndarray[Any, Any]) -> None:
    if array.dtype.hasobject:  # addresses, not pixels
        raise ValueError(f"an array of dtype {array.dtype} is no picture")
    digest.update(repr(("array", array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).data)


def _add_pillow(digest: _Hash, image: Any) -> None:
    """Everything that decides how an image of Pillow's is read."""
    exif = image.getexif().get(0x0112)
    facts = (image.mode, image.size, exif, image.info.get("transparency"))
    digest.update(repr(("pillow", facts)).encode())
    palette = image.getpalette() if image.mode in ("P", "PA") else None
    digest.update(repr(palette).encode())
    digest.update(image.tobytes())


def stamp_of(path: str) -> Stamp | None:
    """A file as it is now; None where it cannot be asked."""
    try:
        info = Path(path).stat()
    except (OSError, ValueError):
        return None
    return info.st_size, int(info.st_mtime)


def is_as_it_was(stamps: Stamps) -> bool:
    """Whether no file was written again since it was hashed."""
    return all(stamp_of(path) == then for path, then in stamps)
