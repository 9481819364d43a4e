"""What leaves the panel: files, downloads, code, sessions, explanations."""

from __future__ import annotations

import json
import re
import zipfile

from playwright.sync_api import expect

from .conftest import Show
from .panel_page import PanelPage, sample_cell


def test_files_are_written_below_the_root(fresh: PanelPage) -> None:
    panel = fresh
    folder = panel.notebook.lab.notebooks / "written"
    panel.control("button", re.compile("^Save…")).click()
    panel.control("textbox", "Folder").fill("written")
    panel.control("textbox", "Folder").press("Tab")
    panel.control("checkbox", "COCO").check()
    panel.control("button", "Save").last.click()
    expect(panel.root).to_contain_text(re.compile("Written into"), timeout=20_000)
    results = json.loads((folder / "results.json").read_text())
    assert len(results["anomalies"]) == panel.value("len(panel.comparison.anomalies)")
    assert (folder / "annotated.png").is_file()


def test_nothing_is_written_above_the_root(fresh: PanelPage) -> None:
    panel = fresh
    panel.control("button", re.compile("^Save…")).click()
    panel.control("textbox", "Folder").fill("../outside")
    panel.control("textbox", "Folder").press("Tab")
    panel.control("button", "Save").last.click()
    expect(panel.viewer.get_by_role("alert")).to_be_visible()
    assert not (panel.notebook.lab.notebooks.parent / "outside").exists()


def test_files_are_downloaded_through_the_browser(fresh: PanelPage) -> None:
    panel = fresh
    panel.control("button", re.compile("^Save…")).click()
    with panel.page.expect_download() as waiting:
        panel.control("button", "Download").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert "results.json" in archive.namelist()


def test_the_copied_code_gives_the_same_result(fresh: PanelPage) -> None:
    panel = fresh
    panel.drag_threshold(50, 70)
    panel.until("panel.comparison.threshold", 70)
    panel.execute("pair.save('copied') if hasattr(pair, 'save') else None")
    panel.control("button", "Copy code").click()
    panel.notebook.until(
        lambda: panel.page.evaluate("navigator.clipboard.readText()").startswith(
            panel.value("panel.code()[:20]")
        )
    )
    code = panel.page.evaluate("navigator.clipboard.readText()")
    assert code == panel.value("panel.code()")
    assert "threshold=70" in code


def test_a_session_is_saved_and_loaded(show: Show) -> None:
    cell = sample_cell().replace(
        "vde.Panel(pair.reference, pair.current, ", "vde.Panel('a.png', 'b.png', "
    )
    cell = cell.replace(
        "try:",
        "import cv2\n"
        "cv2.imwrite('a.png', pair.reference[:, :, ::-1])\n"
        "cv2.imwrite('b.png', pair.current[:, :, ::-1])\ntry:",
    )
    panel = show(cell).ready()
    panel.drag_threshold(50, 66)
    panel.until("panel.threshold", 66)
    panel.execute("panel.review(1, verdict='rejected')")
    panel.control("button", re.compile("^Session…")).click()
    panel.control("checkbox", "Overwrite it if it exists").check()
    panel.control("button", "Save session").click()
    path = panel.notebook.lab.notebooks / "session.json"
    panel.notebook.until(path.is_file)
    panel.drag_threshold(66, 120)
    panel.until("panel.threshold", 120)
    panel.control("button", "Load session").click()
    panel.until("panel.threshold", 66)
    panel.ready()
    assert panel.shown_threshold() == 66
    assert panel.value("panel.comparison.anomalies[0].verdict") == "rejected"


def test_a_session_edited_by_hand_is_refused_in_words(fresh: PanelPage) -> None:
    panel = fresh
    path = panel.notebook.lab.notebooks / "edited.json"
    path.write_text('{"threshold": "many"')
    panel.control("button", re.compile("^Session…")).click()
    panel.control("textbox", "Session").fill("edited.json")
    panel.control("textbox", "Session").press("Tab")
    panel.control("button", "Load session").click()
    expect(panel.viewer.get_by_role("alert")).to_contain_text("edited.json: The session is no JSON")
    assert panel.value("panel.status") == "ready"
    assert panel.shown_threshold() == 50


def test_explain_shows_the_stages_and_follows(fresh: PanelPage) -> None:
    panel = fresh
    panel.button("Explain").click()
    strip = panel.viewer.get_by_role("list", name="Stages of the comparison")
    expect(strip.get_by_role("listitem").nth(3)).to_be_visible(timeout=10_000)
    panel.notebook.shot("explain", panel.viewer)
    before = panel.notebook.frame_count()
    panel.drag_threshold(50, 90)
    panel.until("panel.comparison.threshold", 90)
    panel.notebook.until(
        lambda: [
            one
            for one in panel.notebook.said("blob", before)
            if one.custom["key"] == "stage" and not one.sent
        ]
    )


def test_settings_are_changed_by_the_controls(fresh: PanelPage) -> None:
    panel = fresh
    panel.control("combobox", "Preset").select_option(label="Strict")
    panel.until("panel.preset", "strict")
    panel.until("panel.status", "ready")
    panel.control("combobox", "Method").select_option(
        label=panel.value("vde.methods()[1]['title']")
        if panel.value("isinstance(vde.methods()[1], dict)")
        else "Robust"
    )
    panel.until("panel.status", "ready", 20)
    expect(panel.count).to_have_text(panel.count_text(), timeout=20_000)
