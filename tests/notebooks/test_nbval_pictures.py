"""A notebook run again fails where a text, a picture's size, or a widget differs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from . import small
from .clean import WIDGET
from .files import ROOT, write
from .nbval_pictures import TOLERANCE, told


def agree(new: list[NotebookNode], old: list[NotebookNode]) -> bool:
    first, second = told(from_dict(new), from_dict(old))
    return bool(first == second)


def test_pictures_of_one_size_agree_whatever_is_on_them() -> None:
    assert agree([small.figure(small.png())], [small.figure(small.png(plain=True))])
    assert agree([small.page(small.png())], [small.page(small.png(plain=True))])


def test_a_few_pixels_more_around_a_figure_agree_and_many_do_not() -> None:
    old = [small.figure(small.png(200, 100)), small.page(small.png(90, 60))]
    near = [
        small.figure(small.png(200 + TOLERANCE, 100)),
        small.page(small.png(90, 60 - TOLERANCE)),
    ]
    wide = [small.figure(small.png(200 + TOLERANCE + 1, 100)), small.page(small.png(90, 60))]
    high = [small.figure(small.png(200, 100)), small.page(small.png(90, 60 + TOLERANCE + 1))]
    assert agree(near, old)
    assert not agree(wide, old)
    assert not agree(high, old)


def test_pictures_are_compared_in_their_order() -> None:
    big, tiny = small.figure(small.png(200, 100)), small.figure(small.png(40, 30))
    assert not agree([tiny, big], [big, tiny])


def test_a_picture_missing_or_too_many_differs() -> None:
    one = small.figure(small.png())
    assert not agree([], [one])
    assert not agree([one, one], [one])
    assert not agree([small.page("")], [small.page(small.png())])


def test_a_picture_that_cannot_be_read_differs() -> None:
    assert not agree([small.figure("AAAA")], [small.figure(small.png())])


def test_the_words_around_a_picture_are_still_compared() -> None:
    old, new = small.page(small.png()), small.page(small.png())
    new.data["text/html"] = new.data["text/html"].replace("2 anomalies", "3 anomalies")
    assert not agree([new], [old])


def widget(model: str, plain: str = "Panel") -> NotebookNode:
    view = {"model_id": model, "version_major": 2, "version_minor": 0}
    return new_output("display_data", data={WIDGET: view, "text/plain": plain})


def test_a_widget_must_be_there_whatever_its_name() -> None:
    assert agree([widget("a")], [widget("b")])
    without = new_output("display_data", data={"text/plain": "Panel"})
    assert not agree([without], [widget("b")])


def test_a_bar_of_progress_may_be_there_or_not() -> None:
    assert agree([widget("a", "reading  40%  00:01"), widget("b")], [widget("c")])


def lines(mime: str, data: str) -> str:
    """A cell that shows something."""
    return f"from IPython.display import display\ndisplay({{{mime!r}: {data}}}, raw=True)"


@pytest.fixture(scope="module")
def run_again(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What becomes of each cell of a notebook that does other things than it holds."""
    big = repr(small.png(200, 100))
    cells = {
        "same number": ("print(3)", [small.printed("3\n")]),
        "another number": ("print(4)", [small.printed("3\n")]),
        "another decimal": ("print('took 1.25 s, 0.5')", [small.printed("took 33 s, 0.75\n")]),
        "another word": ("print('red 0.5')", [small.printed("green 0.5\n")]),
        "same size": (
            lines("image/png", big),
            [new_output("display_data", data={"image/png": small.png(200, 100, plain=True)})],
        ),
        "another size": (
            lines("image/png", big),
            [new_output("display_data", data={"image/png": small.png(200, 150)})],
        ),
        "no picture": (
            "pass",
            [new_output("display_data", data={"image/png": small.png(200, 100)})],
        ),
        "another size in HTML": (
            lines("text/html", repr(small.html(small.png(200, 100)))),
            [new_output("display_data", data={"text/html": small.html(small.png(100, 100))})],
        ),
        "no widget": ("print()", [widget("a")]),
        "own cache": (
            "import os\nprint(os.environ['VDE_NB_CACHE'] == 'elsewhere')",
            [small.printed("False\n")],
        ),
    }
    notebook = new_notebook(
        cells=[
            new_code_cell(source, outputs=outputs, execution_count=number)
            for number, (source, outputs) in enumerate(cells.values(), start=1)
        ]
    )
    folder = tmp_path_factory.mktemp("again")
    write(notebook, folder / "again.ipynb")
    (folder / "conftest.py").write_text((ROOT / "notebooks" / "conftest.py").read_text())
    (folder / "pytest.ini").write_text("[pytest]\n")
    config = ROOT / "tests" / "nbval.cfg"
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-rA", "--tb=no", "-p", "no:cacheprovider",
            "-p", "no:randomly", f"--rootdir={folder}", "-c", str(folder / "pytest.ini"),
            "--nbval", f"--nbval-sanitize-with={config}", "--nbval-current-env", str(folder),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "VDE_NB_CACHE": "elsewhere"},
    )  # fmt: skip
    results = {}
    for number, name in enumerate(cells):
        found = re.search(rf"^(\w+) .*::Cell {number}\b", done.stdout, re.MULTILINE)
        assert found, done.stdout + done.stderr
        results[name] = found[1]
    return results


@pytest.mark.parametrize("name", ["same number", "another decimal", "same size", "own cache"])
def test_what_may_differ_passes(name: str, run_again: dict[str, str]) -> None:
    assert run_again[name] == "PASSED"


@pytest.mark.parametrize(
    "name",
    [
        "another number", "another word", "another size", "no picture", "another size in HTML",
        "no widget",
    ],
)  # fmt: skip
def test_what_must_not_differ_fails(name: str, run_again: dict[str, str]) -> None:
    assert run_again[name] == "FAILED"
