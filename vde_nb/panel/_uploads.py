"""Files that arrive from the browser in parts, put together in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vde_nb._text import readable
from vde_nb.errors import ImageError
from vde_nb.panel import _messages as messages
from vde_nb.panel._origin import Upload

__all__ = ["LARGEST", "MOST", "SIDES", "Uploads"]

#: Largest file that is taken, in bytes.
LARGEST = 300 * 2**20
#: Files that may be under way at the same time.
MOST = 4
#: Largest part: 1 MiB and something to spare.
_PART = 4 * 2**20
SIDES = ("reference", "current")


@dataclass
class _Arriving:
    name: str
    side: str
    size: int
    parts: int
    next: int = 0
    data: bytearray = field(default_factory=bytearray)


class Uploads:
    """Puts files together; a file whose parts do not fit is dropped, with an error that says why.

    A file's name is only ever shown.
    """

    def __init__(self) -> None:
        self._arriving: dict[str, _Arriving] = {}

    def __len__(self) -> int:
        return len(self._arriving)

    def take(self, content: Mapping[str, Any], data: bytes) -> tuple[str, Upload] | None:
        """Take one part.

        Parameters
        ----------
        content
            ``id, side, name, size, index, parts`` of an upload message.
        data
            The bytes of the part.

        Returns
        -------
        tuple or None
            Side and file once all parts are there.

        Raises
        ------
        ImageError
            The file is too large, empty, too many are under way, or the parts do not fit together.
        MessageError
            The message is not one.
        """
        key = messages.text(content, "id", 100)
        try:
            return self._take(key, content, data)
        except Exception:
            self.drop(key)
            raise

    def _take(self, key: str, content: Mapping[str, Any], data: bytes) -> tuple[str, Upload] | None:
        name = readable(messages.text(content, "name", 300)) or "upload"
        index, parts = (messages.whole(content, one, 0) for one in ("index", "parts"))
        size = messages.whole(content, "size", 0)
        side = messages.text(content, "side")
        if side not in SIDES:
            raise messages.MessageError(f"The viewer sent a file for {side!r}, which is no side.")
        file = self._arriving.get(key)
        if file is None:
            _check(name, size, parts)
            if index != 0:
                raise ImageError(f"{name} did not arrive whole; upload it again.")
            if len(self._arriving) >= MOST:
                raise ImageError(f"{name} must wait: {MOST} files are being uploaded already.")
            file = self._arriving[key] = _Arriving(name, side, size, parts)
        same = (file.name, file.side, file.size, file.parts) == (name, side, size, parts)
        if not same or index != file.next or not data or len(data) > _PART:
            raise ImageError(f"{file.name} did not arrive whole; upload it again.")
        file.data += data
        file.next += 1
        if len(file.data) > file.size or (file.next == parts) != (len(file.data) == file.size):
            raise ImageError(
                f"{file.name} did not arrive whole: {len(file.data)} of {file.size} bytes. Upload "
                "it again."
            )
        if file.next < parts:
            return None
        del self._arriving[key]
        return file.side, Upload(file.name, bytes(file.data))

    def drop(self, key: str) -> None:
        """Forget a file that is under way."""
        self._arriving.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._arriving.clear()


def _check(name: str, size: int, parts: int) -> None:
    if size > LARGEST:
        raise ImageError(
            f"{name} has {size / 2**20:.0f} MB; files up to {LARGEST // 2**20} MB can be uploaded. "
            "Put it beside the notebook and choose it there."
        )
    if size == 0 or parts == 0:
        raise ImageError(f"{name} is empty (0 bytes).")
    if parts > size:
        raise messages.MessageError(f"The viewer sent {parts} parts of {size} bytes.")
