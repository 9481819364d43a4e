"""The panel without a mouse, and beside the shortcuts of JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .panel_page import PanelPage

#: Where the focus is: inside the viewer, in the controls around it, or elsewhere.
WHERE = """
() => {
  const at = document.activeElement;
  if (at.closest(".vde-viewer")) return "viewer";
  return at.closest(".vde-panel") ? "controls" : "elsewhere";
}
"""


def test_tab_walks_through_the_viewer_and_out_of_it(panel: PanelPage) -> None:
    for way in ("Tab", "Shift+Tab"):
        panel.threshold.focus()
        for _ in range(80):
            panel.page.keyboard.press(way)
            if panel.page.evaluate(WHERE) != "viewer":
                break
        assert panel.page.evaluate(WHERE) != "viewer", f"{way} is trapped"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_focus_is_seen_on_everything_it_can_be_on(panel: PanelPage, theme: str) -> None:
    panel.notebook.theme(theme)
    try:
        panel.viewer.get_by_role("radio", name="Overlay").focus()
        unseen = []
        for _ in range(40):
            panel.page.keyboard.press("Tab")
            if panel.page.evaluate(WHERE) != "viewer":
                break
            seen = panel.page.evaluate(
                """() => {
                  const at = document.activeElement;
                  const shown = getComputedStyle(at);
                  const ring = shown.outlineStyle !== "none" && parseFloat(shown.outlineWidth) > 0;
                  const name = at.getAttribute("aria-label") || at.textContent || at.className;
                  return [ring || shown.boxShadow !== "none", name.trim().slice(0, 60)];
                }"""
            )
            if not seen[0]:
                unseen.append(seen[1])
        assert unseen == []
    finally:
        panel.notebook.theme("light")


def test_everything_that_takes_the_focus_has_a_name(panel: PanelPage) -> None:
    nameless = panel.viewer.evaluate(
        """root => Array.from(root.querySelectorAll(
             "button, input, select, textarea, [tabindex='0'], canvas[role]"))
           .filter(one => one.offsetParent !== null)
           .filter(one => !(one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
             || one.labels?.[0]?.textContent.trim() || one.textContent.trim() || one.title))
           .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []


def test_shortcuts_of_lab_do_not_fire_in_the_viewer(panel: PanelPage) -> None:
    before = panel.notebook.cells()
    for place in (panel.threshold, panel.button("Fit"), panel.stage):
        place.click()
        for key in "a", "b", "d", "d", "x", "m", "y", "z", "c", "v", "Enter":
            panel.page.keyboard.press(key)
    panel.page.wait_for_timeout(200)
    assert panel.notebook.cells() == before
    assert panel.notebook.value("1 + 1") == 2


def test_shortcuts_of_lab_do_not_fire_in_the_controls(panel: PanelPage) -> None:
    before = panel.notebook.cells()
    for place in (
        panel.control("combobox", "Method"),
        panel.control("button", "Copy code"),
        panel.control("button", "Code"),
    ):
        place.first.focus()
        for key in "a", "b", "d", "d":
            panel.page.keyboard.press(key)
    panel.page.wait_for_timeout(200)
    assert panel.notebook.cells() == before


def test_a_question_mark_opens_the_help_and_escape_closes_it(panel: PanelPage) -> None:
    panel.threshold.focus()
    panel.page.keyboard.press("?")
    help_ = panel.viewer.get_by_role("dialog", name="Keys and gestures")
    expect(help_).to_be_visible()
    panel.notebook.shot("help")
    panel.page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(panel.threshold).to_be_focused()


def test_modes_are_one_stop_for_tab_and_arrows_choose(panel: PanelPage) -> None:
    panel.viewer.get_by_role("radio", name="Overlay").focus()
    panel.page.keyboard.press("ArrowRight")
    panel.until("panel.view['mode']", "wipe")
    panel.page.keyboard.press("Tab")
    focused = panel.page.evaluate("document.activeElement.getAttribute('role')")
    assert focused != "radio"


def test_anomalies_are_reviewed_by_keyboard(panel: PanelPage) -> None:
    panel.rows.first.focus()
    panel.page.keyboard.press("ArrowDown")
    panel.until("panel.selected", 2)
    panel.page.keyboard.press("a")
    panel.until("[one.verdict for one in panel.comparison.anomalies][1]", "accepted")
    panel.page.keyboard.press("r")
    panel.until("[one.verdict for one in panel.comparison.anomalies][1]", "rejected")


def test_blinking_stands_still_where_motion_is_reduced(panel: PanelPage) -> None:
    panel.page.emulate_media(reduced_motion="reduce")
    try:
        panel.mode("Blink")
        panel.page.wait_for_timeout(300)
        first = panel.stage.screenshot()
        panel.page.wait_for_timeout(900)
        assert panel.stage.screenshot() == first
    finally:
        panel.page.emulate_media(reduced_motion="no-preference")
