"""The cell that installs: nothing, the clone, or from GitHub; and what it says offline."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from .files import every
from .first_cells import EXTRAS, install_cell

HOME = "owner/name"
Cell = Callable[..., list[str]]


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Runs the cell where some modules are missing, and returns what pip was told to do."""
    usual = importlib.util.find_spec

    def run(*missing: str, installs: bool = True, name: str = "01_quickstart.ipynb") -> list[str]:
        lacking, told = {*missing}, []
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda one: None if one in lacking else usual(one)
        )

        class Shell:
            def run_line_magic(self, magic: str, line: str) -> None:
                assert magic == "pip"
                told.append(line.format(**space))  # as IPython does
                if installs:
                    lacking.clear()

        space: dict[str, Any] = {"get_ipython": Shell}
        source = TransformerManager().transform_cell(install_cell(name, HOME))
        exec(compile(source, "cell", "exec"), space)
        return told

    return run


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "vde_nb").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def test_where_vde_nb_is_installed_it_does_nothing(
    cell: Cell, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "notebooks")
    assert cell() == []


def test_in_a_clone_the_clone_is_installed(
    cell: Cell, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "notebooks")
    assert cell("vde_nb", "xxhash") == ['install -qqq "..[fast]"']


def test_in_the_folder_of_the_clone_finding_the_package_is_not_enough(
    cell: Cell, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone)
    assert cell("xxhash") == ['install -qqq ".[fast]"']


@pytest.mark.parametrize("without", ["vde_nb", "pyproject.toml"])
def test_elsewhere_it_comes_from_github(
    cell: Cell, clone: Path, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clone / without).rename(clone / "other")  # a project of somebody's with notebooks in it
    monkeypatch.chdir(clone / "notebooks")
    assert cell("vde_nb") == ['install -qqq "vde-nb[fast] @ git+https://github.com/owner/name"']


@pytest.mark.parametrize("name", EXTRAS)
def test_what_a_notebook_needs_besides_is_installed_with_it(
    cell: Cell, name: str, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "notebooks")
    assert cell("vde_nb", name=name) == [f'install -qqq "..[{EXTRAS[name]}]"']


def test_without_a_network_one_sentence_says_what_to_do(
    cell: Cell, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clone / "notebooks")
    with pytest.raises(ImportError) as error:
        cell("vde_nb", "xxhash", installs=False)
    assert str(error.value) == (
        'vde-nb could not be installed: %pip install "..[fast]" tells why, '
        "https://github.com/owner/name#troubleshooting what to do."
    )


def test_the_readme_has_what_it_points_to() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    after = text.partition("## Troubleshooting")[2].partition("\n## ")[0]
    assert "proxy" in after and "Offline" in after


def test_it_is_short() -> None:
    cells = [install_cell(path.name, "vde-nb/vde-nb").split("\n") for path in every()]
    assert max(len(lines) for lines in cells) <= 12
    assert max(len(line) for lines in cells for line in lines) <= 115
