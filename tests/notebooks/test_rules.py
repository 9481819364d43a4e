"""Each rule for notebooks turns red where it should, and says where and what to do."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from . import rules, small
from .files import write

Break = Callable[[NotebookNode], None]


def faults_of(notebook: NotebookNode, folder: Path) -> list[str]:
    path = folder / small.NAME
    write(notebook, path)
    return [str(one) for one in rules.faults(path, small.HOME)]


def test_a_good_notebook_has_no_faults(tmp_path: Path) -> None:
    assert faults_of(small.good(), tmp_path) == []


def source(number: int, text: str) -> Break:
    def change(notebook: NotebookNode) -> None:
        notebook.cells[number].source = text

    return change


def replaced(number: int, old: str, new: str) -> Break:
    def change(notebook: NotebookNode) -> None:
        assert old in notebook.cells[number].source
        notebook.cells[number].source = notebook.cells[number].source.replace(old, new)

    return change


def outputs(*these: NotebookNode) -> Break:
    def change(notebook: NotebookNode) -> None:
        notebook.cells[3].outputs = list(these)

    return change


def added(*these: NotebookNode) -> Break:
    def change(notebook: NotebookNode) -> None:
        notebook.cells[3].outputs += these

    return change


def tagged(**metadata: object) -> Break:
    def change(notebook: NotebookNode) -> None:
        notebook.cells[2].metadata.update(metadata)

    return change


def counted(notebook: NotebookNode) -> None:
    notebook.cells[2].execution_count = 7


def never_run(notebook: NotebookNode) -> None:
    notebook.cells[2].execution_count = None


def with_widgets(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def timed(notebook: NotebookNode) -> None:
    notebook.cells[2].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}


def versioned(notebook: NotebookNode) -> None:
    notebook.metadata.language_info["version"] = "3.11.2"


def without_the_last(notebook: NotebookNode) -> None:
    del notebook.cells[-1]


def heavy(notebook: NotebookNode) -> None:
    notebook.cells[2].outputs[0].text = "x" * 1_600_000


RAISED = new_output("error", ename="ValueError", evalue="no", traceback=[])
BROKEN = base64.b64encode(b"\x89PNG\r\n\x1a\n and then nothing of the kind").decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (source(0, "Small\n\nYou will learn little."), "cell 0: it must begin with a title"),
        (replaced(0, "01_small", "02_panel"), "cell 0: the second paragraph must be: [![Open"),
        (replaced(0, "owner/name", "other/name"), "cell 0: the second paragraph must be: [![Open"),
        (replaced(0, "You will learn", "Here is"), "cell 0: the third paragraph must begin"),
        (replaced(1, "-qqq ", ""), "cell 1: it must be the cell that installs"),
        (replaced(1, "[fast]", "[all]"), "cell 1: it must be the cell that installs"),
        (replaced(2, " as vde", ""), "cell 2: the first cell of code after the installing one"),
        (source(3, "%pip install more"), "cell 3: only the first cell of code installs"),
        (source(3, "! pip install more"), "cell 3: only the first cell of code installs"),
        (without_the_last, "cell 3: the last cell must be text that begins with '## Try next'"),
        (replaced(4, "\n- `vde-nb --help`: the rest.", ""), "must list 2 to 4 things, not 1"),
        (replaced(4, f"]({small.NAME})", "]"), "'Try next' must link to another notebook"),
        (replaced(4, f"({small.NAME})", "(gone.ipynb)"), "cell 4: there is no gone.ipynb"),
        (replaced(4, f"`{small.NAME}`", "`99_gone.ipynb`"), "cell 4: there is no 99_gone.ipynb"),
        (replaced(0, "little.", "![](https://x/y.png)"), "cell 0: a picture needs a description"),
        (counted, "cell 2: it was run as number 7, not 2: python -m tests.notebooks run"),
        (never_run, "cell 2: it was run as number None, not 2"),
        (added(RAISED), "cell 3: it raised ValueError: no"),
        (added(small.printed("UserWarning", "stderr")), "cell 3: it wrote to stderr: UserWarning"),
        (source(3, "open('/home/me/a.png')"), "cell 3: a path of one machine: …open('/home/me"),
        (added(small.printed("saved to /tmp/x1")), "cell 3: a path of one machine"),
        (added(small.printed(r"C:\Users\me")), "cell 3: a path of one machine"),
        (added(small.printed("<object at 0x7f0011223344>")), "cell 3: an address in memory"),
        (heavy, "1.60 MB are too many, the most are 1.5 MB"),
        (outputs(small.figure(small.png())), "it must show at least 2 pictures, not 1"),
        (added(small.figure(small.png(plain=True))), "cell 3: a picture of 40 × 30 pixels shows"),
        (added(small.page(small.png(1, 1))), "cell 3: a picture of 1 × 1 pixels shows nothing"),
        (added(small.figure(BROKEN)), "cell 3: a picture cannot be read"),
        (
            added(new_output("display_data", data={"text/html": '<img src="a.png">'})),
            'cell 3: a picture in HTML needs a description: alt="…"',
        ),
        (tagged(tags=["nbval-ignore-output"]), "cell 2: the tag nbval-ignore-output needs a"),
        (tagged(unchecked_because="so"), "cell 2: a reason not to compare it, but no tag"),
        (tagged(tags=["nbval-skip"]), "cell 2: the tag nbval-skip is not known here"),
        (source(3, "# NBVAL_SKIP\nplot()"), "cell 3: a reader should not meet marks for tests"),
        (with_widgets, "it is not clean: python -m tests.notebooks clean"),
        (timed, "it is not clean"),
        (versioned, "it is not clean"),
    ],
)
def test_a_broken_notebook_is_told_what_is_wrong(change: Break, said: str, tmp_path: Path) -> None:
    notebook = small.good()
    change(notebook)
    found = faults_of(notebook, tmp_path)
    assert any(said in one for one in found), found


def test_an_output_that_is_not_compared_may_say_why(tmp_path: Path) -> None:
    notebook = small.good()
    tagged(tags=["nbval-ignore-output"], unchecked_because="it lists what is installed")(notebook)
    assert faults_of(notebook, tmp_path) == []


def test_a_path_within_the_code_of_a_picture_is_none(tmp_path: Path) -> None:
    notebook = small.good()
    page = notebook.cells[3].outputs[1]
    page.data["text/html"] += '<img alt="x" src="data:image/png;base64,QUJD/tmp/QUJD">'
    assert not any("path" in one for one in faults_of(notebook, tmp_path))


def test_addresses_on_the_web_and_links_are_no_paths_of_a_machine(tmp_path: Path) -> None:
    notebook = small.good()
    notebook.cells[3].source = "url = 'https://example.org/home/me/tmp/'\nnames = 'root/tmp'"
    assert faults_of(notebook, tmp_path) == []


def test_an_empty_notebook_is_refused_in_words(tmp_path: Path) -> None:
    notebook = small.good()
    notebook.cells = [new_code_cell()]
    assert len(faults_of(notebook, tmp_path)) >= 4
