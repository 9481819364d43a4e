"""Results leave the panel as files below the root, through the browser, or as code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.panel_stand_in import StandIn, picture
from tests.panel_tools import widgets_alive
from vde_nb import OutputError, SettingError
from vde_nb.panel._out import Out, build_out


@pytest.fixture
def panel(tmp_path: Path) -> StandIn:
    (tmp_path / "root").mkdir()
    made = StandIn(root=tmp_path / "root", method="hybrid", segmenter="none")
    changed = picture()
    changed[20:40, 30:60] = 200
    made.open(picture(), changed)
    return made


@pytest.fixture
def out(panel: StandIn) -> Iterator[Out]:
    made = build_out(panel)
    yield made
    made.close()


def press(out: Out, box: str, words: str) -> None:
    out.openers[box].value = True
    buttons = {one.description: one for one in out.boxes[box].children[-1].children}
    buttons[words].click()


def tick(out: Out, *names: str) -> None:
    for name, one in out.what.items():
        one.value = name in names


def test_what_is_ticked_is_written_below_the_root_and_it_says_where(
    panel: StandIn, out: Out
) -> None:
    tick(out, "results", "coco", "csv", "annotated", "masks", "html")
    out.folder.value = "a/b"
    press(out, "save", "Save")
    assert not panel.errors
    folder = Path(panel.root) / "a" / "b"
    assert {one.name for one in folder.iterdir()} == {
        "results.json",
        "coco.json",
        "anomalies.csv",
        "annotated.png",
        "masks",
        "report.html",
    }
    assert "Written into" in out.note.value and "a/b" in out.note.value


def test_files_that_exist_are_kept_unless_overwriting_is_ticked(panel: StandIn, out: Out) -> None:
    tick(out, "results")
    press(out, "save", "Save")
    press(out, "save", "Save")
    [(_, error)] = panel.errors
    assert isinstance(error, OutputError) and "exists" in str(error)
    out.overwrite.value = True
    press(out, "save", "Save")
    assert len(panel.errors) == 1


@pytest.mark.parametrize("folder", ["..", "/tmp/x", "a/../../x", "", "  ", ".hidden"])
def test_nothing_is_written_outside_the_root(panel: StandIn, out: Out, folder: str) -> None:
    out.folder.value = out.session.value = folder
    press(out, "save", "Save")
    press(out, "session", "Save session")
    press(out, "session", "Load session")
    assert [type(error) for _, error in panel.errors] == [OutputError] * 3
    assert list(Path(panel.root).iterdir()) == []
    assert [one.name for one in Path(panel.root).parent.iterdir()] == ["root"]


def test_one_file_is_downloaded_as_it_is_and_several_as_an_archive(
    panel: StandIn, out: Out
) -> None:
    tick(out, "results")
    press(out, "save", "Download")
    tick(out, "results", "masks", "annotated")
    press(out, "save", "Download")
    (name, data, mime), (archive, packed, kind) = panel.viewer.downloads
    assert (name, mime) == ("results.json", "application/json")
    assert len(json.loads(data)["anomalies"]) == 1
    assert kind == "application/zip" and archive.endswith(".zip")
    names = sorted(zipfile.ZipFile(io.BytesIO(packed)).namelist())
    assert names[0] == "annotated.png" and names[1].startswith("masks/001_")
    assert names[2] == "results.json"


def test_nothing_ticked_is_told(panel: StandIn, out: Out) -> None:
    tick(out)
    press(out, "save", "Download")
    [(_, error)] = panel.errors
    assert isinstance(error, SettingError) and "Nothing is ticked" in str(error)


def test_a_session_is_saved_and_loaded(panel: StandIn, out: Out) -> None:
    press(out, "session", "Save session")
    assert (Path(panel.root) / "session.json").is_file()
    panel.change(threshold=77)
    press(out, "session", "Load session")
    assert panel.settings.get("threshold") != 77
    assert "loaded" in out.note.value and not panel.errors


def test_the_code_is_shown_as_text_and_copied(panel: StandIn, out: Out) -> None:
    panel.reviews = [{"box": [1, 2, 3, 4], "verdict": "accepted", "comment": "<script>x</script>"}]
    out.openers["code"].value = True
    assert "&lt;script&gt;" in out.code.value and "<script>" not in out.code.value
    out.copy.click()
    assert "<script>x</script>" in panel.viewer.copied[0]


def test_only_one_box_is_open(out: Out) -> None:
    out.openers["save"].value = True
    out.openers["code"].value = True
    assert not out.openers["save"].value
    assert out.body.children == (out.boxes["code"],)
    out.openers["code"].value = False
    assert out.body.children == ()


def test_nothing_can_be_saved_before_there_is_a_comparison(tmp_path: Path) -> None:
    out = build_out(StandIn(root=tmp_path))
    assert out.copy.disabled
    assert all(one.disabled for one in out.boxes["save"].children[-1].children)
    out.close()


def test_close_frees_every_widget(panel: StandIn) -> None:
    known = len(widgets_alive())
    made = build_out(panel)
    made.openers["code"].value = True
    made.close()
    assert len(widgets_alive()) == known


def test_errors_while_writing_are_shown(panel: StandIn, out: Out) -> None:
    (Path(panel.root) / "results").write_text("a file where the folder should be")
    press(out, "save", "Save")
    [(title, error)] = panel.errors
    assert "Save" in title
    said: Any = str(error)
    assert "results" in said
