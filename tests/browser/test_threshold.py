"""The threshold: drawn by the browser at once, answered by the kernel."""

from __future__ import annotations

import itertools

from playwright.sync_api import expect

from .panel_page import PanelPage


def test_the_kernel_answers_when_the_threshold_is_let_go(panel: PanelPage) -> None:
    start = panel.value("panel.threshold")
    panel.drag_threshold(start, 120)
    assert panel.shown_threshold() == 120
    panel.until("panel.threshold", 120)
    panel.until("panel.comparison.threshold", 120)
    expect(panel.count).to_have_text(panel.count_text())
    expect(panel.count).not_to_have_class("vde-unsure")


def test_the_picture_follows_a_drag_while_the_kernel_is_busy(panel: PanelPage) -> None:
    panel.page.evaluate("performance.clearMeasures('vde-repaint')")
    panel.page.evaluate(
        """() => { shownNotebook().sessionContext.session.kernel.requestExecute(
             { code: "import time; time.sleep(2)" }); }"""
    )
    before = panel.notebook.frame_count()
    panel.drag_threshold(40, 140, steps=25, release=False)
    panel.page.wait_for_timeout(100)
    repaints = panel.page.evaluate("performance.getEntriesByName('vde-repaint').length")
    answers = panel.notebook.said("result", before)
    panel.page.mouse.up()
    assert repaints >= 10
    assert answers == []
    assert panel.shown_threshold() == 140
    panel.until("panel.threshold", 140)


def test_a_drag_asks_the_kernel_a_few_times_and_once_at_the_end(panel: PanelPage) -> None:
    before = panel.notebook.frame_count()
    panel.drag_threshold(40, 140, steps=50)
    panel.until("panel.threshold", 140)
    asked = [one.custom for one in panel.notebook.said("threshold", before)]
    assert [one["final"] for one in asked].count(True) == 1
    assert asked[-1]["final"]
    assert asked[-1]["value"] == 140
    times = [one.at for one in panel.notebook.said("threshold", before)]
    gaps = [late - early for early, late in itertools.pairwise(times[:-1])]
    assert all(gap >= 80 for gap in gaps)


def test_an_old_answer_never_moves_the_threshold_back(panel: PanelPage) -> None:
    for value in (30, 60, 90, 120, 150):
        panel.drag_threshold(value - 20, value, steps=3)
    panel.until("panel.threshold", 150)
    panel.page.wait_for_timeout(500)
    assert panel.shown_threshold() == 150
    assert panel.value("panel.comparison.threshold") == 150


def test_a_drag_that_leaves_the_window_ends_at_the_edge(panel: PanelPage) -> None:
    panel.drag_threshold(50, 80, release=False)
    width = panel.page.viewport_size["width"]  # type: ignore[index]
    panel.page.mouse.move(width + 300, -50)
    panel.page.mouse.up()
    panel.until("panel.threshold", 255)
    panel.page.mouse.move(200, 200)
    panel.page.wait_for_timeout(200)
    assert panel.shown_threshold() == 255, "the thumb stuck to the pointer"


def test_arrow_keys_move_the_threshold_by_one_and_by_ten(panel: PanelPage) -> None:
    start = panel.value("panel.threshold")
    panel.threshold.focus()
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("ArrowRight")
    panel.page.keyboard.press("Shift+ArrowRight")
    panel.until("panel.threshold", start + 12)
    panel.page.keyboard.press("Home")
    panel.until("panel.threshold", 0)
    panel.page.keyboard.press("End")
    panel.until("panel.threshold", 255)
    expect(panel.count).to_have_text(panel.count_text())


def test_a_threshold_is_typed(panel: PanelPage) -> None:
    entry = panel.viewer.get_by_role("spinbutton", name="Threshold")
    entry.fill("77")
    entry.press("Enter")
    panel.until("panel.threshold", 77)
    entry.fill("1000")
    entry.press("Enter")
    panel.until("panel.threshold", 255)
    expect(entry).to_have_value("255")


def test_the_trait_moves_the_slider(panel: PanelPage) -> None:
    panel.execute("panel.threshold = 99")
    expect(panel.threshold).to_have_attribute("aria-valuenow", "99")
    expect(panel.count).to_have_text(panel.count_text())


def test_a_watcher_in_python_hears_the_slider(panel: PanelPage) -> None:
    panel.execute(
        "heard = []\npanel.observe(lambda change: heard.append(change['new']), 'threshold')"
    )
    panel.drag_threshold(50, 88)
    panel.until("heard[-1:]", [88])


def test_the_count_is_announced(panel: PanelPage) -> None:
    panel.drag_threshold(50, 110)
    panel.until("panel.threshold", 110)
    said = panel.viewer.locator("[aria-live]")
    number = panel.value("len(panel.comparison.anomalies)")
    expect(said.first).to_contain_text(str(number) if number else "no")
