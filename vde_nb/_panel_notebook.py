"""The notebook that shows the panel on given pictures: made as text, and known again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["is_same", "literal", "notebook"]

#: Bytes of a notebook that may be one of ours, with what was saved in it.
_LARGEST = 100 << 20

#: The first cell of a notebook is the one that is chosen when it opens, so it is the one to run.
_ABOVE = "# Press Shift+Enter, and the panel appears below.\n"
_BELOW = """\
Nothing there? Wait until the kernel is *Idle* (below, or above on the right), click into the cell \
and press **Shift + Enter** again.

Drag the threshold, choose another method, open other pictures with *Pictures*; `?` lists the \
keys, *Save\u2026* writes a report, *Copy code* gives the Python for what you see.

`panel.comparison` holds the result. The tour is in the repository of vde-nb: \
`notebooks/01_quickstart.ipynb`, and `notebooks/02_panel.ipynb` for all that the panel can do."""


def notebook(code: str) -> str:
    """A notebook of format 4.5: the cell, with what to press, and where to go on.

    Parameters
    ----------
    code
        The text of its only cell of code.

    Returns
    -------
    str
        JSON, the same for the same code.
    """
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "panel",
            "metadata": {},
            "outputs": [],
            "source": _lines(_ABOVE + code),
        },
        {"cell_type": "markdown", "id": "below", "metadata": {}, "source": _lines(_BELOW)},
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    document = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def is_same(target: Path, document: str) -> bool:
    """Whether a file is a notebook with the cells of code of `document`, saved since or not."""
    sources: set[str] = set()
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        if target.is_file() and target.stat().st_size <= _LARGEST:
            sources = set(_code_cells(target.read_text("utf-8")))
    return sources.issuperset(_code_cells(document))


def _code_cells(document: str) -> list[str]:
    return [
        "".join(cell["source"]).strip()
        for cell in json.loads(document)["cells"]
        if cell["cell_type"] == "code"
    ]


def literal(text: str) -> str:
    r"""`text` as Python writes it, in double quotes where that is as short.

    >>> print(literal("today.png"), literal('5".png'), literal("two\nlines"))
    "today.png" '5".png' "two\nlines"
    """
    written = repr(text)
    plain = written[1:-1]
    is_plain = written[0] == "'" and '"' not in plain and "\\'" not in plain
    return f'"{plain}"' if is_plain else written
