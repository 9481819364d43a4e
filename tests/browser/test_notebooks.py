"""Every notebook of the set, opened in JupyterLab and run from top to bottom by a stranger."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.files import every

from .conftest import Open
from .notebook import Notebook
from .panel_page import sample_cell
from .whole_page import faults

#: Seconds for all cells of a notebook, while other tests keep the machine busy.
PATIENCE = 240.0

#: Seconds after which a fault that was made on purpose is no cell that is still being drawn.
PERSISTENT = 5.0


@pytest.mark.parametrize("path", every(), ids=lambda path: path.stem)
def test_every_cell_runs_and_everything_is_shown(path: Path, open_notebook: Open) -> None:
    notebook = open_notebook(path.name, path)
    before = {one.name for one in notebook.path.parent.iterdir()}
    try:
        notebook.run_all(PATIENCE)
        wrong = faults(notebook)
        notebook.shot(f"notebook-{path.stem}")
    finally:
        notebook.kill_kernel()
        notebook.page.close()  # as high as all its cells
    assert wrong == []
    assert {one.name for one in notebook.path.parent.iterdir()} == before


BROKEN = """
from vde_nb.panel import viewer
viewer.esm = lambda name: {script!r}
""".strip()


@pytest.fixture(scope="module")
def own(open_notebook: Open) -> Notebook:
    """A notebook that is to go wrong."""
    return open_notebook("wrong.ipynb", [""])


def wrong(own: Notebook, *cells: str) -> list[str]:
    """What is found wrong with these cells."""
    own.kill_kernel()
    own.open(f"wrong-{len(list(own.path.parent.iterdir()))}.ipynb", list(cells))
    own.console.clear()
    own.run_all(60)
    return faults(own, PERSISTENT)


def test_a_viewer_that_throws_is_found(own: Notebook) -> None:
    script = "export default { render() { throw new Error('no lamp'); } };"
    found = wrong(own, BROKEN.format(script=script), sample_cell())
    assert "cell 1: a panel has no viewer" in found
    assert any(one.startswith("console:") and "no lamp" in one for one in found)


def test_a_viewer_that_draws_nothing_is_found(own: Notebook) -> None:
    script = (
        "export default { render({ el }) {"
        " el.innerHTML = '<div role=application><canvas width=300 height=200></canvas></div>'; } };"
    )
    found = wrong(own, BROKEN.format(script=script), sample_cell())
    assert found == ["cell 1: a panel's viewer is blank"]


def test_a_panel_that_is_closed_is_missed(own: Notebook) -> None:
    assert "cell 0: a widget is not on the page" in wrong(own, sample_cell(), "panel.close()")


def test_what_is_wrong_with_outputs_is_told_with_the_number_of_the_cell(own: Notebook) -> None:
    picture = '<img alt="x" src="data:image/png;base64,AA">'
    found = wrong(
        own,
        "import warnings\nwarnings.warn('old')",
        f"from IPython.display import HTML\nHTML({picture!r})",
        "1 / 0",
        "print('never run')",
    )
    assert "UserWarning: old" in found.pop(0)
    assert found == [
        "cell 1: a picture is broken",
        "cell 2: it raised ZeroDivisionError: division by zero",
        "cell 3: it was not run",
    ]
