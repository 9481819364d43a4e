"""The form of messages between panel and viewer: cutting what is large, checking what comes in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vde_nb.errors import VdeError

__all__ = ["PART", "Blob", "MessageError", "flag", "number", "text", "whole"]

#: Most bytes in one message. Colab drops messages that are much larger.
PART = 3_000_000
#: A number JavaScript can hold exactly.
_SAFE = 2**53 - 1


class MessageError(VdeError, ValueError):
    """A message from the viewer is not what it should be."""


@dataclass(frozen=True, eq=False)
class Blob:
    """Something large for the viewer.

    Attributes
    ----------
    key
        What it is: ``"reference"``, ``"clean"``...
    token
        Changes when the content does.
    data
        The bytes.
    meta
        What the viewer must know beside them.
    """

    key: str
    token: str
    data: bytes = field(repr=False)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def messages(self) -> Iterator[tuple[dict[str, Any], list[memoryview]]]:
        """The messages it takes, each with one buffer of at most :data:`PART` bytes.

        >>> blob = Blob("clean", "t1", bytes(PART + 1))
        >>> [(content["part"], content["parts"], len(data)) for content, (data,) in blob.messages()]
        [(0, 2, 3000000), (1, 2, 1)]
        """
        parts = max(1, -(-len(self.data) // PART))
        view = memoryview(self.data)
        for part in range(parts):
            content = {
                "kind": "blob",
                "key": self.key,
                "token": self.token,
                "part": part,
                "parts": parts,
                "meta": dict(self.meta),
            }
            yield content, [view[part * PART : (part + 1) * PART]]


def whole(content: Mapping[str, Any], key: str, low: int = -_SAFE, high: int = _SAFE) -> int:
    """A whole number out of a message."""
    value = content.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise MessageError(f"The viewer sent {key}={_short(value)}, which is no number it can be.")
    return value


def number(content: Mapping[str, Any], key: str) -> float:
    """A finite number out of a message."""
    value = content.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise MessageError(f"The viewer sent {key}={_short(value)}, which is no number.")
    return float(value)


def text(content: Mapping[str, Any], key: str, most: int = 10_000) -> str:
    """Text out of a message, cut at `most` characters."""
    value = content.get(key, "")
    if not isinstance(value, str):
        raise MessageError(f"The viewer sent {key}={_short(value)}, which is no text.")
    return value[:most]


def flag(content: Mapping[str, Any], key: str) -> bool:
    """True or false out of a message."""
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise MessageError(f"The viewer sent {key}={_short(value)}, neither true nor false.")
    return value


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
