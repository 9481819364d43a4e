"""Broken files made of sound ones: bytes flipped, cut, moved; values exchanged for hostile ones."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

#: What numbers in headers are exchanged for: ends of ranges, and what lies just outside of them.
_SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 20_000)
#: What values in a document are exchanged for.
HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 255, 10**6, 2**31, 2**63, 10**30, -(10**18)),
    *(0.5, -0.0, 1e-300, 1e308, math.inf, -math.inf, math.nan),
    *("", "a", "\0", "..", "../../etc/passwd", "/etc/passwd", "a.png", "~root", "C:\\x", "\ud800"),
    *("<script>alert(1)</script>", "=1+1", "%s%n", "x" * 5000, "\u202etxt", "crack", "1e999"),
    *([], {}, [[]], [None], [1, 2, 3, 4], [-1, -1, 0, 0], [1e400] * 4, {"a": 1}, {"": {}}),
    *(["x"] * 300, [[1] * 4] * 300, {"shape": [2**40, 2**40]}, {"file": "../a.png"}),
)


def broken(data: bytes, draw: Random) -> bytes:
    """`data` damaged in one to four places."""
    made = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        if not made:
            break
        # Half of the time in the header, where it hurts most.
        span = len(made) if draw.random() < 0.5 else min(len(made), 200)
        at = draw.randrange(span)
        what = draw.randrange(7)
        if what == 0:
            made[at] ^= 1 << draw.randrange(8)
        elif what == 1:
            made[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
        elif what == 2:
            width, order = draw.choice((2, 4, 8)), draw.choice(("big", "little"))
            value = draw.choice(_SIZES) & ((1 << 8 * width) - 1)
            made[at : at + width] = value.to_bytes(width, order)
        elif what == 3:
            del made[at:]
        elif what == 4:
            del made[at : at + draw.randint(1, 16)]
        elif what == 5:
            made[at:at] = made[: draw.randint(1, 64)]
        else:
            other = draw.randrange(len(made))
            made[at : at + 16] = made[other : other + 16]
    return bytes(made)


def spliced(one: bytes, other: bytes, draw: Random) -> bytes:
    """The beginning of one file and the end of another."""
    return one[: draw.randrange(len(one) + 1)] + other[draw.randrange(len(other) + 1) :]


def twisted(document: Any, draw: Random) -> Any:
    """A copy of a document with one to three values exchanged, left out, doubled or moved."""
    made = copy.deepcopy(document)
    for _ in range(draw.randint(1, 3)):
        places = list(_places(made))
        if not places:
            break
        holder, key = draw.choice(places)
        what = draw.randrange(6)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder, dict):
            holder[draw.choice(("x", "", "__class__", "id", "file", "extra" * 50))] = holder[key]
        elif what == 2 and isinstance(holder, list):
            holder[key:key] = [holder[key]] * draw.choice((1, 20))
        elif what == 3:
            other, name = draw.choice(places)
            holder[key] = copy.deepcopy(other[name]) if _has(other, name) else None
        else:
            holder[key] = copy.deepcopy(draw.choice(HOSTILE))
    return made


def twisted_text(document: Any, draw: Random) -> bytes:
    """A twisted document as JSON, now and then not quite as JSON."""
    data = json.dumps(twisted(document, draw)).encode("utf-8", "surrogatepass")
    if draw.random() < 0.15:
        data = draw.choice(
            (data[:-1], b"\xef\xbb\xbf" + data, data * 2, b"[" * 100_000, b"\xff" + data)
        )
    return broken(data, draw) if draw.random() < 0.15 else data


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything in a document: what holds it, and under which key."""
    left = [value]
    while left:
        holder = left.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], (dict, list)):
                left.append(holder[key])


def _has(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)
