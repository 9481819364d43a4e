"""The interactive HTML report, opened from the disk: no kernel, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import vde_nb as vde


@pytest.fixture(scope="module")
def report(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The report of the tyre."""
    pair = vde.samples.load("tyre")
    result = vde.compare(pair.reference, pair.current, method="hybrid", segmenter="none")
    path = tmp_path_factory.mktemp("report") / "report <b>&'.html"
    result.to_html(path)
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.goto(Path(path).as_uri())
    expect(page.locator(".vde-viewer")).to_be_visible()
    yield page
    assert complaints == []
    assert [one for one in asked if not one.startswith(("file:", "data:", "blob:"))] == []
    context.close()


def test_the_table_lists_all_anomalies(report: Page) -> None:
    expect(report.locator(".vde-viewer tbody tr[data-number]")).to_have_count(4)


def test_the_threshold_is_dragged_without_a_kernel(report: Page) -> None:
    slider = report.get_by_role("slider", name="Threshold", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    report.evaluate("performance.clearMeasures('vde-repaint')")
    stage = report.get_by_role("application", name="Pictures")
    before = stage.screenshot()
    report.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    report.mouse.down()
    report.mouse.move(box["x"] + box["width"] * 0.04, box["y"] + box["height"] / 2, steps=15)
    report.mouse.up()
    expect(slider).to_have_attribute("aria-valuenow", re.compile("^(9|10|11)$"))
    report.wait_for_timeout(100)
    assert report.evaluate("performance.getEntriesByName('vde-repaint').length") > 3
    assert stage.screenshot() != before


def test_all_modes_are_there(report: Page, screenshots: Path) -> None:
    for name in ("Wipe", "Blink", "Side", "Heatmap", "Reference", "Current", "Overlay"):
        chosen = report.get_by_role("radio", name=name, exact=True)
        chosen.click()
        expect(chosen).to_have_attribute("aria-checked", "true")
        report.wait_for_timeout(80)
        report.screenshot(path=str(screenshots / f"report-{name.lower()}.png"))


def test_only_the_overlay_is_tinted_not_the_current_picture_alone(report: Page) -> None:
    layers = "Array.from(document.querySelectorAll('.vde-viewer canvas'), c => c.toDataURL())"
    seen = {}
    for name in ("Overlay", "Current"):
        report.get_by_role("radio", name=name, exact=True).click()
        report.wait_for_timeout(200)
        seen[name] = report.evaluate(layers)
    different = [one != other for one, other in zip(*seen.values(), strict=True)]
    assert sum(different) == 1, "the same picture, and outlines, without the tint"


def test_the_wipe_is_dragged(report: Page) -> None:
    report.get_by_role("radio", name="Wipe", exact=True).click()
    stage = report.get_by_role("application", name="Pictures")
    box = stage.bounding_box()
    assert box is not None
    report.mouse.move(5, 5)
    report.wait_for_timeout(100)
    before = stage.screenshot()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    report.mouse.move(*middle)
    report.mouse.down()
    report.mouse.move(middle[0] - 150, middle[1], steps=5)
    report.mouse.up()
    report.mouse.move(5, 5)
    report.wait_for_timeout(100)
    assert stage.screenshot() != before


def test_a_row_zooms_to_its_region(report: Page) -> None:
    zoom = report.locator(".vde-zoom-value")
    before = zoom.inner_text()
    report.locator(".vde-viewer tbody tr[data-number]").first.click()
    expect(zoom).not_to_have_text(before)


def test_nothing_that_needs_a_kernel_is_offered(report: Page) -> None:
    expect(report.get_by_role("radio", name="Mark a region")).to_be_hidden()
    expect(report.get_by_role("radio", name="Nudge")).to_be_hidden()


def test_the_report_is_dark_where_the_system_is(report: Page, screenshots: Path) -> None:
    light = report.evaluate("getComputedStyle(document.querySelector('.vde-viewer')).color")
    report.emulate_media(color_scheme="dark")
    try:
        report.wait_for_timeout(100)
        dark = report.evaluate("getComputedStyle(document.querySelector('.vde-viewer')).color")
        report.screenshot(path=str(screenshots / "report-dark.png"))
        assert light != dark
    finally:
        report.emulate_media(color_scheme="light")


def test_a_narrow_report_needs_no_sideways_scrolling(report: Page, screenshots: Path) -> None:
    report.set_viewport_size({"width": 600, "height": 900})
    try:
        report.wait_for_timeout(200)
        report.screenshot(path=str(screenshots / "report-narrow.png"))
        assert report.evaluate("document.documentElement.scrollWidth") <= 600
    finally:
        report.set_viewport_size({"width": 1400, "height": 1200})
