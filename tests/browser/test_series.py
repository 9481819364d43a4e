"""A series of frames: the curve of scores above the filmstrip, and comparing all of them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Show
from .notebook import NARROW, WIDE
from .panel_page import PanelPage

#: A camera that looks at a wall; from the fifth frame on something is there.
SERIES = """
import vde_nb as vde
import numpy as np
from datetime import datetime, timedelta
from vde_nb.panel._series import frame_pairs
try:
    panel.close()
except NameError:
    pass
pair = vde.samples.load("wall")
rng = np.random.default_rng(0)
frames = []
for number in range({count}):
    frame = pair.reference + rng.normal(0, 2, pair.reference.shape)
    if 4 <= number < 9:
        side = 6 * (number - 3)
        frame[200:200 + side, 300:300 + side] += 60
    frames.append(np.clip(frame, 0, 255).astype(np.uint8))
times = [datetime(2026, 11, 23, 14) + timedelta(minutes=90 * number) for number in range({count})]
panel = vde.Panel(pairs=frame_pairs(pair.reference, frames, times), method="robust",
                  segmenter="none", align="off", normalise="off")
panel
"""


def series(show: Show, count: int = 12) -> PanelPage:
    return show(SERIES.format(count=count).strip()).ready()


@pytest.fixture
def strip(show: Show) -> PanelPage:
    return series(show)


def curve(panel: PanelPage) -> Locator:
    return panel.viewer.get_by_role("slider", name="Score of the frames")


def compared(panel: PanelPage) -> None:
    panel.button("Compare all").click()
    panel.until("panel._sweep.is_on", False, 60)


def drawn(panel: PanelPage) -> str:
    return panel.viewer.locator(".vde-curve-line").get_attribute("d") or ""


def test_all_frames_are_compared_and_the_curve_fills_in(strip: PanelPage) -> None:
    assert drawn(strip) == "", "one score makes no line"
    compared(strip)
    expect(strip.button("All compared")).to_have_attribute("aria-disabled", "true")
    expect(strip.viewer.locator(".vde-curve-line")).to_have_attribute("d", re.compile(r"^M[^M]*L"))
    scores = strip.value("[one['score'] for one in panel.frames]")
    assert max(scores[:4]) < 1 < min(scores[5:9])
    expect(strip.viewer.get_by_role("option").nth(8)).to_contain_text("1 region")
    assert strip.value("panel.index") == 0


def test_every_theme_and_width(strip: PanelPage) -> None:
    compared(strip)
    strip.execute("panel.index = 6")
    strip.until("panel.status", "ready")
    for theme in ("light", "dark"):
        strip.notebook.theme(theme)
        for width in (NARROW, WIDE):
            strip.notebook.resize(width, 1600)
            strip.page.wait_for_timeout(200)
            strip.notebook.shot(f"series-{theme}-{width}", strip.viewer)
            inside = curve(strip).evaluate(
                """root => {
                  const room = root.querySelector("svg").getBoundingClientRect();
                  return Array.from(root.querySelectorAll("text"))
                    .map(one => one.getBoundingClientRect())
                    .every(one => one.left >= room.left && one.right <= room.right);
                }"""
            )
            assert inside, "a label is cut off"
    strip.notebook.theme("light")


def test_a_click_on_the_curve_goes_to_the_frame(strip: PanelPage) -> None:
    compared(strip)
    box = curve(strip).bounding_box()
    assert box is not None
    # Twelve frames do not fit: they are spread over the whole width.
    x = 10 + 7 * (box["width"] - 20) / 11
    strip.page.mouse.move(box["x"] + x, box["y"] + 40)
    tip = strip.viewer.locator(".vde-curve-tip")
    expect(tip).to_contain_text("frame 8")
    expect(tip).to_contain_text("24 Nov 2026, 00:30")
    expect(tip).to_contain_text("above the level")
    strip.notebook.shot("series-tip", strip.viewer.locator(".vde-film"))
    strip.page.mouse.click(box["x"] + x, box["y"] + 40)
    strip.until("panel.index", 7)
    strip.ready()
    expect(curve(strip)).to_have_attribute("aria-valuenow", "8")
    strip.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_arrow_keys_walk_along_the_curve(strip: PanelPage) -> None:
    curve(strip).focus()
    for _ in range(3):
        strip.page.keyboard.press("ArrowRight")
    strip.until("panel.index", 3)
    strip.page.keyboard.press("End")
    strip.until("panel.index", 11)
    expect(curve(strip)).to_be_focused()
    expect(curve(strip)).to_have_attribute("aria-valuetext", re.compile("^Frame 12 of 12"))
    strip.page.keyboard.press("Home")
    strip.until("panel.index", 0)


def test_a_short_series_has_its_points_above_its_pictures(show: Show) -> None:
    panel = series(show, 4)
    compared(panel)
    frames = panel.viewer.get_by_role("option")
    box = curve(panel).bounding_box()
    assert box is not None
    path = panel.viewer.locator(".vde-curve-line").get_attribute("d") or ""
    xs = [float(one.split(" ")[0]) for one in path.removeprefix("M").split("L")]
    assert len(xs) == 4
    for at, x in enumerate(xs):
        frame = frames.nth(at).bounding_box()
        assert frame is not None
        assert box["x"] + x == pytest.approx(frame["x"] + frame["width"] / 2, abs=1.5)
    panel.notebook.shot("series-short", panel.viewer.locator(".vde-film"))


def test_comparing_all_is_cancelled_in_the_midst_of_it(show: Show) -> None:
    panel = series(show, 60)
    panel.button("Compare all").click()
    panel.until("sum(one['score'] is not None for one in panel.frames) > 5", True, 30)
    panel.notebook.shot("series-running", panel.viewer.locator(".vde-film"))
    panel.viewer.locator(".vde-film").get_by_role("button", name="Cancel").click()
    panel.until("panel._sweep.is_on", False)
    expect(panel.button("Compare all")).to_be_visible()
    known = panel.value("sum(one['score'] is not None for one in panel.frames)")
    assert 5 < known < 60
    panel.page.wait_for_timeout(300)
    assert panel.value("sum(one['score'] is not None for one in panel.frames)") == known


def test_a_method_without_scores_has_no_curve(strip: PanelPage) -> None:
    expect(curve(strip)).to_be_visible()
    strip.execute("panel.method = 'hybrid'")
    expect(curve(strip)).to_be_hidden()
    expect(strip.viewer.get_by_role("listbox", name="Pairs")).to_be_visible()
