"""Choosing pictures: samples, files, uploads, also such as are broken or have strange names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, expect

from .conftest import Show
from .panel_page import PanelPage

EMPTY = """
import vde_nb as vde
try:
    panel.close()
except NameError:
    pass
panel = vde.Panel(root={root!r}, method="hybrid", segmenter="none")
panel
"""
#: Shown as text, or it shows.
STRANGE = "<script>window.hit=1<b>\"'&amp;\n😀.png"


def side(panel: PanelPage, name: str) -> Locator:
    """The picker of one side."""
    return panel.root.locator(".vde-side").nth(("reference", "current").index(name))


def empty(show: Show, root: Path | str = ".") -> PanelPage:
    panel = show(EMPTY.format(root=str(root)).strip())
    expect(panel.viewer).to_be_visible()
    return panel


def test_a_sample_is_picked_and_compared(show: Show) -> None:
    panel = empty(show)
    expect(panel.viewer).to_contain_text("Nothing to compare yet")
    one = side(panel, "reference")
    one.get_by_label("From").select_option(label="Samples")
    one.get_by_label("Sample").select_option(label="wall")
    panel.ready()
    assert panel.value("len(panel.comparison.anomalies)") >= 1
    expect(side(panel, "current")).to_contain_text("800 × 600 px")
    panel.control("button", "Swap").click()
    panel.until("panel.status", "ready")
    assert "wall" in panel.value("panel.names[0]")


def pictures(folder: Path, name: str) -> tuple[Path, Path]:
    """Two pictures that differ in a square, the second with a strange name."""
    folder.mkdir(exist_ok=True)
    array = np.full((120, 160, 3), 90, np.uint8)
    array[::8] += 40
    first, second = folder / "reference.png", folder / name
    Image.fromarray(array).save(first)
    array[40:70, 50:90] = (220, 40, 40)
    Image.fromarray(array).save(second)
    return first, second


def test_a_strange_file_name_is_text_everywhere(show: Show, tmp_path: Path) -> None:
    first, second = pictures(tmp_path, STRANGE)
    panel = empty(show, tmp_path)
    panel.execute(f"panel.open({str(first)!r}, {str(second)!r})")
    panel.ready()
    assert panel.page.evaluate("window.hit") is None
    expect(panel.root).to_contain_text("<script>window.hit=1<b>")
    assert panel.root.locator("script, b:text('window.hit')").count() == 0
    panel.execute(
        "from pathlib import Path\n"
        f"panel.comparison.to_html(Path({str(tmp_path)!r}) / 'report.html', overwrite=True)"
    )
    report = (tmp_path / "report.html").read_text()
    assert "<script>window.hit" not in report


def upload(panel: PanelPage, name: str, path: Path) -> None:
    one = side(panel, name)
    one.get_by_label("From").select_option(label="Upload")
    one.locator("input[type=file]").set_input_files(str(path))


def test_files_are_uploaded(show: Show, tmp_path: Path) -> None:
    first, second = pictures(tmp_path, STRANGE)
    panel = empty(show)
    upload(panel, "reference", first)
    expect(side(panel, "reference")).to_contain_text("160 × 120 px")
    upload(panel, "current", second)
    panel.ready()
    assert panel.value("len(panel.comparison.anomalies)") == 1
    x, y, w, h = panel.value("[int(v) for v in panel.comparison.anomalies[0].box]")
    assert abs(x - 50) < 6
    assert abs(y - 40) < 6
    assert abs(w - 40) < 6
    assert abs(h - 30) < 6
    assert panel.page.evaluate("window.hit") is None


def test_a_broken_upload_is_said_and_the_old_pair_stays(panel: PanelPage, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing of the kind")
    panel.root.get_by_text("Pictures", exact=True).first.click()
    upload(panel, "current", broken)
    expect(panel.root).to_contain_text(re.compile("broken.png"), timeout=10_000)
    panel.until("panel.status in ('ready', 'error')", True)
    assert panel.value("panel.comparison.pair.shape[:2]") == [600, 800]
    expect(panel.threshold).to_be_visible()


def test_a_deleted_file_is_said(show: Show, tmp_path: Path) -> None:
    first, second = pictures(tmp_path, "current.png")
    panel = empty(show, tmp_path)
    second.unlink()
    panel.execute(f"panel.open({str(first)!r}, {str(second)!r})")
    alert = panel.viewer.get_by_role("alert")
    expect(alert).to_contain_text("current.png")
    assert panel.value("panel.status") == "error"
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_hidden()


def test_pairs_are_gone_through_on_the_filmstrip(show: Show) -> None:
    panel = empty(show)
    panel.execute(
        "panel.open_pairs([(vde.samples.load(n).reference, vde.samples.load(n).current)"
        " for n in ('tyre', 'wall', 'label')])"
    )
    panel.ready()
    panel.button(re.compile("^next", re.I)).first.click()
    panel.until("panel.index", 1)
    panel.ready()
    panel.button(re.compile("^previous", re.I)).first.click()
    panel.until("panel.index", 0)
    panel.ready()
    panel.notebook.shot("filmstrip", panel.root)
