"""Words for people: text from outside made safe to write, and sizes of files."""

from __future__ import annotations

import html
import re
from typing import Any

__all__ = ["byte_size", "defused", "escaped", "natural", "plotted", "readable"]


def readable(text: str) -> str:
    """`text` as Unicode that can be written: names of files may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def escaped(value: object) -> str:
    """`value` as text for HTML, inside an element or a quoted attribute."""
    return html.escape(readable(str(value)), quote=True)


#: What a spreadsheet takes for the beginning of a formula, itself or once it has dropped a line
#: break or a tab before it; the last four as an East Asian keyboard types them.
_FORMULA = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")


def defused(value: Any) -> Any:
    """Value of a cell of a spreadsheet: a text that would be run as a formula gets an apostrophe.

    >>> defused("=1+1"), defused("crack"), defused(-1)
    ("'=1+1", 'crack', -1)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def plotted(text: str, most: int = 40) -> str:
    r"""`text` as matplotlib can draw it: no formula, no character without a shape, not too long.

    >>> plotted("cut by 5$ to 7$"), plotted("x" * 50, 6)
    ('cut by 5\\$ to 7\\$', 'xxxxx…')
    """
    shown = "".join(one if one.isprintable() else "?" for one in readable(text))
    shown = shown if len(shown) <= most else f"{shown[: most - 1]}…"
    # Between two dollar signs matplotlib reads TeX, and raises where it is wrong.
    return shown.replace("$", r"\$")


def natural(name: str) -> tuple[object, ...]:
    """Key that sorts names as people do.

    >>> sorted(["b10.png", "B9.png", "a.png"], key=natural)
    ['a.png', 'B9.png', 'b10.png']
    """
    # Text and numbers alternate, so that only likes are compared; the name itself ends ties.
    parts = re.split(r"([0-9]+)", name.casefold())
    key = tuple(int(part) if at % 2 else part for at, part in enumerate(parts))
    return key, name


def byte_size(count: int) -> str:
    """`count` bytes in decimal units.

    >>> byte_size(999), byte_size(999_600), byte_size(24_840), byte_size(374_960_000)
    ('999 B', '1.0 MB', '24.8 kB', '375 MB')
    """
    size, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.{0 if units[0] == 'B' or size >= 99.95 else 1}f} {units[0]}"
