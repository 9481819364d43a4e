"""Prompts, ignored areas, nudging: what a person draws, and taking it back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .panel_page import PanelPage


@pytest.fixture
def marking(panel: PanelPage) -> PanelPage:
    """The panel with the tool for prompts."""
    panel.tool("Mark a region")
    panel.settle()
    return panel


def test_a_click_is_a_positive_point_and_shift_click_a_negative_one(marking: PanelPage) -> None:
    marking.click(300, 200)
    marking.until("[one['points'] for one in panel.prompts]", [[[300, 200, 1]]])
    marking.click(340, 220, "Shift")
    marking.until("panel.prompts[0]['points'][-1]", [340, 220, 0])
    assert len(marking.value("panel.prompts")) == 1


def test_a_drag_is_a_box(marking: PanelPage) -> None:
    marking.drag((100, 120), (180, 170))
    x, y, w, h = marking.until("panel.prompts and panel.prompts[-1]['box']")
    assert x == pytest.approx(100, abs=1)
    assert y == pytest.approx(120, abs=1)
    assert w == pytest.approx(80, abs=2)
    assert h == pytest.approx(50, abs=2)
    marking.until("[one.origin for one in panel.comparison.anomalies].count('prompted')", 1)
    expect(marking.count).to_have_text(marking.count_text())


def test_a_box_drawn_out_of_the_picture_ends_at_its_edge(marking: PanelPage) -> None:
    marking.drag((750, 560), (900, 700))
    x, y, w, h = marking.until("panel.prompts and panel.prompts[-1]['box']")
    assert (x + w, y + h) == (800, 600)


def test_ten_quick_clicks_are_ten_points(marking: PanelPage) -> None:
    for step in range(10):
        marking.page.mouse.click(*_near(marking, 200 + 20 * step, 150))
    marking.until("sum(len(one['points']) for one in panel.prompts)", 10, 20)
    marking.until("panel.status", "ready", 20)


def _near(panel: PanelPage, x: float, y: float) -> tuple[float, float]:
    return panel.point(x + 0.5, y + 0.5)


def test_undo_and_redo_go_all_the_way(marking: PanelPage) -> None:
    for x in (100, 200, 300):
        marking.drag((x, 100), (x + 40, 140))
        marking.settle()
    marking.until("len(panel.prompts)", 3)
    drawn = marking.value("panel.prompts")
    for left in (2, 1, 0):
        marking.page.keyboard.press("Control+z")
        marking.until("len(panel.prompts)", left) if left else marking.until(
            "panel.prompts == []", True
        )
    for count in (1, 2, 3):
        marking.page.keyboard.press("Control+Shift+z")
        marking.until("len(panel.prompts)", count)
    assert marking.value("panel.prompts") == drawn


def test_nothing_is_found_where_an_area_is_ignored(panel: PanelPage) -> None:
    found = panel.value("len(panel.comparison.anomalies)")
    x, y, w, h = panel.value("[int(v) for v in panel.comparison.anomalies[0].box]")
    panel.tool("Ignore an area")
    panel.drag((x - 12, y - 12), (x + w + 12, y + h + 12))
    panel.until("len(panel.ignore)", 1)
    panel.until("len(panel.comparison.anomalies)", found - 1)
    expect(panel.count).to_have_text(panel.count_text())
    panel.page.keyboard.press("Control+z")
    panel.until("len(panel.comparison.anomalies)", found)


def test_arrow_keys_nudge_the_current_picture(panel: PanelPage) -> None:
    panel.tool("Nudge")
    panel.stage.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        panel.page.keyboard.press(key)
    panel.until("list(panel.nudge)", [2, 1])
    panel.until("panel.status", "ready")
    assert panel.value("list(panel.comparison.settings.align.nudge)") == [2, 1]
    panel.page.keyboard.press("Control+z")
    panel.until("list(panel.nudge) != [2, 1]", True)


def test_prompts_of_python_are_shown(panel: PanelPage) -> None:
    panel.execute("panel.prompts = [{'box': [60, 60, 50, 40], 'points': []}]")
    panel.until("[one.origin for one in panel.comparison.anomalies].count('prompted')", 1)
    expect(panel.count).to_have_text(panel.count_text())


def test_escape_goes_back_to_looking_around(marking: PanelPage) -> None:
    marking.stage.focus()
    marking.page.keyboard.press("Escape")
    chosen = marking.viewer.get_by_role("radio", name="Look around")
    expect(chosen).to_have_attribute("aria-checked", "true")
