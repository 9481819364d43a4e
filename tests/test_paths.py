"""A path that leads nowhere: people are told where it was looked for, and what was meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vde_nb as vde
from vde_nb import _paths
from vde_nb._paths import from_url, misread, missing, shown
from vde_nb.errors import ImageError, SettingError, WeightsError
from vde_nb.images import load

on_linux = pytest.mark.skipif(_paths.ON_WINDOWS, reason="Windows takes these paths")
on_windows = pytest.mark.skipif(not _paths.ON_WINDOWS, reason="asks what Windows itself does")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder notebooks/ of a project, in which one stands."""
    for name in ("reference.png", "notebooks/own.png", "pictures/today.png", "good/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "burrs.py").touch()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path / "notebooks"


def said(path: object) -> str:
    with pytest.raises(ImageError) as error:
        load(path)  # type: ignore[arg-type]
    return str(error.value)


# In another folder than one thinks


def test_a_relative_path_is_told_with_the_folder_it_was_looked_for_in(place: Path) -> None:
    assert said("elsewhere.jpg") == f"elsewhere.jpg does not exist in {place}"
    assert said(Path("gone") / "a.png") == (
        f"{Path('gone', 'a.png')} does not exist in {place}; nor is there a folder gone"
    )


def test_of_an_absolute_path_the_working_folder_is_no_matter(place: Path) -> None:
    path = place / "qqqqqq.tif"
    assert said(path) == f"{path} does not exist"


def test_a_notebook_started_one_folder_too_deep_is_told_so(place: Path) -> None:
    above = Path("..", "reference.png")
    assert said("reference.png").endswith(f"; did you mean {above}?")
    assert "is empty (0 bytes)" in said(above), "what is suggested is there"


def test_a_notebook_started_one_folder_too_high_is_told_so(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.parent)
    assert said("own.png").endswith(f"; did you mean {Path('notebooks', 'own.png')}?")
    assert said("../pictures/today.png").endswith(
        f"; did you mean {Path('pictures', 'today.png')}?"
    )


def test_hidden_folders_are_not_looked_into(place: Path) -> None:
    (place / ".cache").mkdir()
    (place / ".cache" / "qqq.png").touch()
    assert "did you mean" not in said("qqq.png")


def test_a_working_folder_that_was_deleted_is_no_second_mistake(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Path:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    assert said("elsewhere.jpg") == "elsewhere.jpg does not exist"


def test_folders_are_suggested_for_folders(place: Path) -> None:
    (place / "godd").touch()
    (place / "goods").mkdir()
    assert missing("good", folder=True).endswith(f"; did you mean {Path('..', 'good')}?")
    assert missing("gods", folder=True).endswith("; did you mean goods?")


def test_everything_that_takes_a_path_says_where_it_looked(place: Path, tmp_path: Path) -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(ImageError, match=r"does not exist in .*did you mean .*reference"):
        vde.compare("reference.png", picture)
    with pytest.raises(SettingError, match=r"There is no folder good/ in .*did you mean .*good\?"):
        vde.Normality.fit("good/")
    with pytest.raises(SettingError, match=r"no such file in .*did you mean .*burrs\.py\?"):
        vde.load_plugin("burrs.py")
    with pytest.raises(WeightsError, match=r"line\.safetensors does not exist in "):
        vde.Normality.load("line.safetensors")
    for pairs in ("night.csv", ("golden", "today"), ("golden", "../good")):
        with pytest.raises(SettingError, match=f"{place.name}.* Explained in notebooks/11"):
            vde.compare_many(pairs, out=tmp_path / "run")


# Paths of Windows


@on_linux
def test_a_path_of_windows_is_recognised_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_paths.sys, "platform", "linux")
    assert said(r"C:\pics\a.png") == (
        r"C:\pics\a.png does not exist: it is a path of Windows, and this Python runs on Linux; "
        "pass its path there (under WSL /mnt/c/pics/a.png)"
    )
    assert said(r"\\server\share\a.png").endswith("runs on Linux; pass its path there")
    monkeypatch.setattr(_paths.sys, "platform", "darwin")
    assert said("d:/pics/a.png").endswith("runs on macOS; pass its path there")


@on_linux
def test_a_file_that_has_such_a_name_is_opened(place: Path) -> None:
    for name in (r"C:\pics\a.png", "today\new.png", '"a.png"'):
        (place / name).write_bytes(b"no picture")
        assert "does not look like a picture" in said(name)


def test_backslashes_that_python_took_for_something_else_are_shown_as_typed() -> None:
    assert shown("C:\new\test.png") == r"C:\new\test.png"
    assert shown("C:\archive\backup\r.png") == r"C:\archive\backup\r.png"
    assert shown("C:\2024\a.png") == r"C:\2024\a.png"
    assert shown("straße/übung.png") == "straße/übung.png"


def test_on_windows_the_two_ways_to_write_a_backslash_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_paths, "ON_WINDOWS", True)
    assert misread("C:\new\test.png") == (
        ': Python read \\n as a line break and \\t as a tab; write r"C:\\new\\test.png", or / in '
        "place of \\"
    )
    assert misread("C:\new\\") == ": Python read \\n as a line break; write / in place of \\"
    assert misread(r"C:\pics\a.png") == "" == misread(r"\\server\share\a.png")


@on_linux
def test_elsewhere_slashes_are_the_only_way() -> None:
    assert said("today\new.png") == (
        r"today\new.png does not exist: Python read \n as a line break; write / in place of " + "\\"
    )
    assert said("C:\new.png").startswith(
        r"C:\new.png does not exist: it is a path of Windows, in which Python read \n as a line"
    )


def test_a_name_that_the_system_refuses_is_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> bytes:
        raise OSError(22, "Invalid argument")  # as Windows says

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(_paths, "ON_WINDOWS", True)
    assert said("C:\new.png") == (
        r'C:\new.png cannot be read: Python read \n as a line break; write r"C:\new.png", or / in '
        "place of \\"
    )


@on_windows
def test_windows_refuses_such_a_name_and_the_reason_is_told() -> None:
    assert 'write r"C:\\new\\test.png"' in said("C:\new\test.png")


@on_linux
def test_a_relative_path_of_windows_is_told_and_not_taken(place: Path) -> None:
    assert said(r"..\reference.png").endswith("; with / in place of \\ there is one")
    assert said(r"..\gone.png").endswith("; write / in place of \\, which parts no folders here")


def test_a_line_of_a_file_and_a_copied_path_are_recognised(place: Path) -> None:
    assert said("own.png\n").endswith(": a line break stands at its end, which .strip() takes away")
    assert said('"own.png"').endswith(": leave out the quotation marks around it")
    assert misread('"') == "" == misread("own.png")


@on_linux
def test_rows_of_a_table_say_it_of_their_own_pictures(place: Path) -> None:
    (place / "pairs.csv").write_text(
        "reference,current\n..\\good\\1.png,own.png\nC:\\pics\\a.png,own.png\nzzzzzz.tif,own.png\n"
    )
    run = vde.compare_many("pairs.csv", out="run", workers=0, progress=False)
    errors = [row["error"] for row in run.rows()]
    assert errors[0] == r"..\good\1.png does not exist; with / in place of \ there is one"
    assert errors[1].startswith(r"C:\pics\a.png does not exist: it is a path of Windows")
    assert errors[2] == "zzzzzz.tif does not exist", "a row is the same wherever it was made"


# URLs


def test_a_url_of_a_file_is_told_with_its_path() -> None:
    path = Path("some where", "ä.png").absolute()
    assert from_url(path.as_uri()) == str(path)
    assert said(path.as_uri()).endswith(f"not fetched; pass the path that it stands for, {path}")
    assert from_url(path.as_uri().replace("file://", "FILE://localhost")) == str(path)


@pytest.mark.parametrize("url", ["https://x.org/a.png", "file://nas/share/a.png", "file://[x/a"])
def test_other_urls_have_to_be_downloaded(url: str) -> None:
    assert from_url(url) == ""
    assert said(url).endswith("download it and pass its path")


@on_linux
def test_what_a_url_stands_for_cannot_write_to_the_terminal() -> None:
    assert said("file:///a%1b[31m.png").endswith(r"the path that it stands for, /a\33[31m.png")
