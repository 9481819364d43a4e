"""A kernel without widgets: results are shown as ever, and the panel says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.notebooks.run import executed

BLOCKED = "import sys\nfor name in {}:\n    sys.modules[name] = None"
PAIR = "import vde_nb as vde\npair = vde.samples.load('board')\na, b = pair.reference, pair.current"
PANEL = "panel = vde.Panel(a, b)\npanel.wait()\npanel"


def shown(folder: Path, *sources: str) -> list[list[NotebookNode]]:
    """What cells put out, one after the other in a kernel of its own."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    executed(notebook, folder)
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ("ipywidgets", "anywidget"),
            "needs ipywidgets and anywidget, which this kernel has not: pip install ipywidgets"
            " anywidget, then restart it.",
        ),
        (("anywidget",), "needs anywidget, which this kernel has not: pip install anywidget, then"),
    ],
)
def test_results_and_the_panel_are_pictures_and_a_sentence_says_what_the_panel_needs(
    names: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    *_, result, panel = shown(tmp_path, BLOCKED.format(names), PAIR, "vde.compare(a, b)", PANEL)
    for outputs in (result, panel):
        assert len(outputs) == 1
        assert 'src="data:image' in outputs[0].data["text/html"]
        assert "widget-view" not in str([*outputs[0].data])
    assert f"The panel itself {said}" in panel[0].data["text/html"]
    assert panel[0].data["text/plain"].startswith("Panel(")


def test_a_front_end_without_widgets_gets_the_picture_beside_the_panel(tmp_path: Path) -> None:
    _, outputs = shown(tmp_path, PAIR, PANEL)
    (static,) = (one.data for one in outputs if "text/html" in one.data)
    assert 'src="data:image' in static["text/html"]
    assert "Run this cell to use the panel." in static["text/html"]
    assert len(outputs) == 2
