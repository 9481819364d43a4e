"""Notebooks are run as a stranger would; what goes wrong is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from . import small
from .__main__ import main
from .files import ROOT, read, write
from .run import RunError, executed


def test_a_cell_that_raises_is_told_and_the_file_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "01_broken.ipynb"
    write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    assert main(["run", str(path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_run_uses_this_python_and_an_empty_cache_and_leaves_nothing(tmp_path: Path) -> None:
    notebook = new_notebook(
        cells=[
            new_code_cell("import os, sys\nprint(sys.executable)"),
            new_code_cell("print(os.listdir(os.environ['VDE_NB_CACHE']), os.getcwd())"),
        ]
    )
    executed(notebook, tmp_path)
    printed = [cell.outputs[0].text.strip() for cell in notebook.cells]
    assert printed == [sys.executable, f"[] {tmp_path}"]
    with pytest.raises(RunError, match=r"left something in the working folder: report\.csv"):
        executed(new_notebook(cells=[new_code_cell("open('report.csv', 'w').close()")]), tmp_path)


def test_check_lists_faults_and_says_so_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / small.NAME
    notebook = small.good()
    notebook.metadata["widgets"] = {}
    write(notebook, path)
    assert main(["check", str(path)]) == 1
    assert f"{small.NAME}: it is not clean" in capsys.readouterr().out
    assert main(["clean", str(path)]) == 0
    assert "widgets" not in read(path).metadata


def test_a_notebook_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "98_nowhere.ipynb"]) == 2
    assert capsys.readouterr().err == "there is no notebook 98_nowhere.ipynb\n"


def test_the_hook_of_git_runs_what_the_tests_run() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    for command in ("clean", "check"):
        assert f"entry: python -m tests.notebooks {command}" in hooks
    helped = subprocess.run(
        [sys.executable, "-m", "tests.notebooks", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {"run", "clean", "check", "home"} <= set(helped.stdout.split())
