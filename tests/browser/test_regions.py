"""The table of regions and the review."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .panel_page import PanelPage

#: How many values the pixels of each thumbnail have; a blank one has one.
COLOURS = """
row => Array.from(row.querySelectorAll("canvas"), one => {
  const data = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
  return new Set(data).size;
})
"""


def test_the_table_lists_what_python_holds(panel: PanelPage) -> None:
    found = panel.value("[[a.number, a.type, a.severity] for a in panel.comparison.anomalies]")
    expect(panel.rows).to_have_count(len(found))
    for number, kind, severity in found:
        row = panel.viewer.locator(f"tr[data-number='{number}']")
        expect(row).to_contain_text(str(severity), ignore_case=True)
        expect(row).to_contain_text(re.compile(str(kind).replace("_", "."), re.I))


def test_a_row_shows_both_pictures_of_its_region(panel: PanelPage) -> None:
    expect(panel.rows.first.locator("canvas").first).to_be_visible()
    # Rows are drawn when they come into sight.
    panel.rows.first.scroll_into_view_if_needed()
    panel.notebook.until(lambda: min(panel.rows.first.evaluate(COLOURS)) > 4)


def test_a_click_on_a_row_zooms_to_its_region(panel: PanelPage) -> None:
    panel.rows.nth(1).click()
    panel.until("panel.selected", 2)
    panel.until("panel.view['scale'] is not None", True)
    panel.settle()
    x, y = panel.value("list(panel.comparison.anomalies[1].centroid)")
    assert abs(panel.value("panel.view['cx']") - x) < 60
    assert abs(panel.value("panel.view['cy']") - y) < 60


def test_selecting_in_python_marks_the_row(panel: PanelPage) -> None:
    panel.execute("panel.selected = 3")
    expect(panel.table.locator("[aria-selected='true']")).to_contain_text("3")


def test_the_table_is_sorted_by_a_click_on_its_head(fresh: PanelPage) -> None:
    panel = fresh
    areas = panel.value("[a.area for a in panel.comparison.anomalies]")
    numbers = panel.value("[a.number for a in panel.comparison.anomalies]")
    head = panel.table.get_by_role("columnheader", name=re.compile("area", re.I))
    (head.get_by_role("button").first if head.get_by_role("button").count() else head).click()
    expect(head).to_have_attribute("aria-sort", re.compile("ascending|descending"))
    way = head.get_attribute("aria-sort")
    order = [n for _, n in sorted(zip(areas, numbers, strict=True), reverse=way == "descending")]
    shown = [int(one.get_attribute("data-number") or 0) for one in panel.rows.all()]
    assert shown == order


def test_the_table_is_filtered(fresh: PanelPage) -> None:
    panel = fresh
    kind = panel.value("panel.comparison.anomalies[0].type")
    count = panel.value(f"[a.type for a in panel.comparison.anomalies].count({kind!r})")
    panel.viewer.get_by_role("searchbox").fill(kind)
    expect(panel.rows).to_have_count(count)


def test_hovering_a_row_highlights_its_region(panel: PanelPage) -> None:
    panel.page.mouse.move(5, 5)
    before = panel.stage.screenshot()
    panel.rows.first.hover()
    panel.page.wait_for_timeout(150)
    assert panel.stage.screenshot() != before


def test_a_review_is_kept_in_the_results(panel: PanelPage) -> None:
    panel.rows.first.click()
    panel.rows.first.get_by_role("button", name="Accept", exact=True).click()
    panel.until("panel.comparison.anomalies[0].verdict", "accepted")
    assert panel.value("panel.reviews[0]['verdict']") == "accepted"
    panel.drag_threshold(50, 60)
    panel.until("panel.comparison.threshold", 60)
    assert panel.value("[a.verdict for a in panel.comparison.anomalies].count('accepted')") == 1


def test_a_region_is_given_another_type(panel: PanelPage) -> None:
    panel.rows.first.click()
    panel.rows.first.get_by_role("button", name="Relabel or note").click()
    panel.viewer.get_by_role("combobox", name="Type").select_option(label="scratch")
    panel.viewer.get_by_role("group", name="Relabel region 1").get_by_role(
        "button", name=re.compile("save|apply|ok|done", re.I)
    ).click()
    panel.until("panel.comparison.anomalies[0].type", "scratch")
    expect(panel.rows.first).to_contain_text("scratch", ignore_case=True)


def test_refining_gives_the_segmenter_the_box(panel: PanelPage) -> None:
    box = panel.value("[int(v) for v in panel.comparison.anomalies[0].box]")
    panel.rows.first.click()
    panel.rows.first.get_by_role("button", name="Refine the outline").click()
    panel.until("[one['box'] for one in panel.prompts]", [box])
    panel.until("panel.status", "ready")
