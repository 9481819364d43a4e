"""Text from outside, made safe to write: names of files and types are somebody's words."""

from __future__ import annotations

import html

__all__ = ["escaped", "readable"]


def readable(text: str) -> str:
    """`text` as Unicode that can be written: names of files may hold bytes that are none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def escaped(value: object) -> str:
    """`value` as text for HTML, inside an element or a quoted attribute."""
    return html.escape(readable(str(value)), quote=True)
