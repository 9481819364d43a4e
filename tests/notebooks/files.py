"""Where the notebooks are, and how one is read and written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"


def every() -> list[Path]:
    """All notebooks of the set, in their order."""
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> NotebookNode:
    """A notebook, as nbformat 4 understands it."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def text(notebook: NotebookNode) -> str:
    """What the file of a notebook holds: sorted keys, an indent of one, a newline at the end."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"  # type: ignore[no-untyped-call]


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the file of a notebook, with the same bytes on every system."""
    path.write_bytes(text(notebook).encode("utf-8"))


def code_cells(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Cells of code, each with its number among all cells, from 0."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            yield number, cell


def data_of(output: NotebookNode) -> dict[str, str]:
    """What an output shows, by its kind (MIME); empty for printed text and errors."""
    return dict(output.get("data", {}))
