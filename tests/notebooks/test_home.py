"""The repository's address stands in many files, and is the same in all."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import ROOT
from .first_cells import badges, home, install_cell
from .home import files, move, others


def test_all_files_name_the_same_address() -> None:
    assert others(ROOT) == []


def test_the_files_that_name_it_are_found() -> None:
    names = {one.relative_to(ROOT).as_posix() for one in files(ROOT)}
    assert {"pyproject.toml", "README.md", "notebooks/01_quickstart.ipynb"} <= names


@pytest.fixture
def small_root(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://github.com/one/vde-nb"\n'
    )
    (tmp_path / "README.md").write_text(
        "https://github.com/one/vde-nb, https://github.com/one/vde-nb-extra, one/vde-nb × ä"
    )
    for name in ("01_a.ipynb", "02_b.ipynb"):
        (tmp_path / "notebooks" / name).write_text(
            install_cell(name, "one/vde-nb") + badges(name, "one/vde-nb")
        )
    return tmp_path


def test_another_address_is_written_everywhere(small_root: Path) -> None:
    changed = move(small_root, "two/eyes")
    assert [one.name for one in changed] == [
        "README.md", "pyproject.toml", "01_a.ipynb", "02_b.ipynb",
    ]  # fmt: skip
    assert home(small_root) == "two/eyes"
    for name in ("01_a.ipynb", "02_b.ipynb"):
        text = (small_root / "notebooks" / name).read_text()
        assert text == install_cell(name, "two/eyes") + badges(name, "two/eyes")


def test_what_only_looks_like_it_is_left(small_root: Path) -> None:
    move(small_root, "two/eyes")
    assert (small_root / "README.md").read_text() == (
        "https://github.com/two/eyes, https://github.com/one/vde-nb-extra, one/vde-nb × ä"
    )


def test_there_and_back_again(small_root: Path) -> None:
    before = {one: one.read_bytes() for one in files(small_root)}
    move(small_root, "two/eyes")
    move(small_root, "one/vde-nb")
    assert {one: one.read_bytes() for one in files(small_root)} == before


def test_a_file_that_disagrees_is_found(small_root: Path) -> None:
    (small_root / "README.md").write_text("https://mybinder.org/v2/gh/someone/vde-nb/main")
    assert others(small_root) == [(small_root / "README.md", "/gh/someone/vde-nb")]


@pytest.mark.parametrize("wrong", ["vde-nb", "a/b/c", "https://github.com/a/b", "", "a /b"])
def test_what_is_no_address_is_refused(wrong: str, small_root: Path) -> None:
    with pytest.raises(ValueError, match="OWNER/NAME"):
        move(small_root, wrong)


def test_a_project_that_does_not_say_is_told_how(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(ValueError, match="Repository = "):
        home(tmp_path)
