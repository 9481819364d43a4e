"""Text that several formats need: strict JSON, files of this package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["dump", "packaged"]


def dump(document: Mapping[str, Any]) -> str:
    """Strict JSON for people: indented, lists of numbers on one line, a newline at the end."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)
    # A line break inside a string is written as \n, so only the layout can match.
    text = re.sub(r"\[\n\s*([-\d.eE+]+(?:,\n\s*[-\d.eE+]+)*)\n\s*\]", _one_line, text)
    return text + "\n"


def _one_line(found: re.Match[str]) -> str:
    return "[" + re.sub(r"\s+", " ", found[1]) + "]"


def packaged(name: str) -> str:
    """Text of a file that stands beside this module."""
    from importlib import resources  # costs milliseconds, which most runs need not pay

    return resources.files("vde_nb.export").joinpath(name).read_text("utf-8")
