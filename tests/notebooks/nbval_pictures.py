"""Pictures and widgets of a notebook run again by nbval are compared, too: by presence and size.

nbval compares every text and leaves pictures and widgets out. Here each picture becomes a text
that tells its size, also within HTML, before nbval compares: so a missing picture, one too many or
one of another size is a difference like any other. The bytes may differ, as they do from one
version of a library to the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode, from_dict
from nbval.plugin import IPyNbCell, IPyNbFile

from .clean import WIDGET, is_progress, once
from .pictures import IN_HTML, KINDS, measured
from .run import own_surroundings

#: Pixels by which a side may differ: a figure is cut close to its labels, and these are drawn a
#: little wider or narrower by other versions.
TOLERANCE = 6

Size = tuple[int, int]


class Notebook(IPyNbFile):  # type: ignore[misc]
    """A notebook whose pictures are compared by size, run with an empty cache."""

    def setup(self) -> None:
        """Start the kernel in surroundings of its own."""
        self._surroundings = own_surroundings()
        self._surroundings.__enter__()
        super().setup()

    def teardown(self) -> None:
        """Stop the kernel and take its surroundings away."""
        super().teardown()
        self._surroundings.__exit__(None, None, None)

    def collect(self) -> Iterator[Cell]:
        """Its cells of code, as nbval finds them."""
        for cell in super().collect():
            yield Cell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )


class Cell(IPyNbCell):  # type: ignore[misc]
    """A cell whose pictures are compared by size."""

    def compare_outputs(self, test: Any, ref: Any, skip_compare: Any = None) -> bool:
        """Whether new outputs agree with those of the file."""
        return bool(super().compare_outputs(*told(test, ref), skip_compare))


def told(
    new: list[NotebookNode], old: list[NotebookNode]
) -> tuple[list[NotebookNode], list[NotebookNode]]:
    """Outputs with texts in the place of pictures and widgets, and without progress bars.

    A new picture is called as large as the old one at its place when it nearly is.

    Parameters
    ----------
    new, old : list of NotebookNode
        What a cell put out now, and what its notebook holds.

    Returns
    -------
    tuple of two lists of NotebookNode
        Copies of both.
    """
    sizes: list[Size] = []
    before = [_told(one, _Sizes(sizes, ())) for one in old if not is_progress(one)]
    seen = _Sizes([], tuple(sizes))
    return [_told(one, seen) for one in new if not is_progress(one)], before


class _Sizes:
    """Sizes of pictures in the order in which they appear, and those they should have."""

    def __init__(self, sizes: list[Size], wanted: tuple[Size, ...]) -> None:
        self._sizes, self._wanted = sizes, wanted

    def name(self, encoded: str) -> str:
        """A text that stands for a picture."""
        try:
            picture = measured(encoded)
        except ValueError as error:
            return f"a broken picture ({error})"
        size = (picture.width, picture.height)
        place = len(self._sizes)
        self._sizes.append(size)
        if place < len(self._wanted):
            wanted = self._wanted[place]
            if all(abs(a - b) <= TOLERANCE for a, b in zip(size, wanted, strict=True)):
                size = wanted
        return f"a picture of {size[0]} × {size[1]} pixels"


def _told(output: NotebookNode, sizes: _Sizes) -> NotebookNode:
    """An output with texts in the place of pictures and widgets."""
    if "data" not in output:
        return output
    data = once(dict(output.data))
    if "text/html" in data:
        data["text/html"] = IN_HTML.sub(
            lambda found: sizes.name(found[2]), _joined(data["text/html"])
        )
    for kind in KINDS:
        if kind in data:
            data[f"picture ({kind})"] = sizes.name(_joined(data.pop(kind)))
    if WIDGET in data:
        data["widget"] = f"a widget of version {data.pop(WIDGET)['version_major']}"
    return from_dict({**output, "data": data})  # type: ignore[no-any-return, no-untyped-call]


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Take nbval's notebooks for ours."""
    collected = yield
    return [
        Notebook.from_parent(parent, path=file_path) if isinstance(one, IPyNbFile) else one
        for one in collected
    ]
