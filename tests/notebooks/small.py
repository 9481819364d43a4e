"""A small notebook that keeps all rules, for tests to break."""

from __future__ import annotations

import base64
import io

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from .clean import cleaned
from .first_cells import badges, install_cell

NAME, HOME = "01_small.ipynb", "owner/name"


def png(width: int = 40, height: int = 30, plain: bool = False) -> str:
    """A picture in base64: black, with a white line if it is not `plain`."""
    image = Image.new("RGB", (width, height))
    if not plain:
        image.paste((255, 255, 255), (0, 0, width, 1))
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def html(encoded: str) -> str:
    """The same on a page."""
    return f'<p>2 anomalies</p><img alt="current" src="data:image/png;base64,{encoded}">'


def figure(encoded: str) -> NotebookNode:
    """A figure as an output."""
    data = {"image/png": encoded, "text/plain": "<Figure>"}
    return new_output("display_data", data=data)


def page(encoded: str) -> NotebookNode:
    """A picture within HTML as an output."""
    return new_output("display_data", data={"text/html": html(encoded), "text/plain": "Comparison"})


def printed(text: str, name: str = "stdout") -> NotebookNode:
    """Printed text as an output."""
    return new_output("stream", name=name, text=text)


def good() -> NotebookNode:
    """The notebook."""
    cells = [
        new_markdown_cell(f"# Small\n\n{badges(NAME, HOME)}\n\nYou will learn little."),
        new_code_cell(install_cell(NAME, HOME)),
        new_code_cell("import vde_nb as vde\n\nprint(3)", outputs=[printed("3\n")]),
        new_code_cell("plot()", outputs=[figure(png()), page(png())]),
        new_markdown_cell(
            f"## Try next\n\n- [`{NAME}`]({NAME}): the same again.\n- `vde-nb --help`: the rest."
        ),
    ]
    count = 0
    for cell in cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    return cleaned(new_notebook(cells=cells))
