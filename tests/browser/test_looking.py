"""Modes, zoom, pan, and what lies under the pointer."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .panel_page import MODES, PanelPage


def test_modes_are_chosen_and_python_hears_of_it(panel: PanelPage) -> None:
    for name in (*MODES[1:], MODES[0]):
        panel.mode(name)
        panel.until("panel.view['mode']", name.lower())
        chosen = panel.viewer.get_by_role("radio", name=name, exact=True)
        expect(chosen).to_have_attribute("aria-checked", "true")


def test_the_number_keys_choose_modes(panel: PanelPage) -> None:
    panel.stage.click()
    for key, name in enumerate(MODES, 1):
        panel.page.keyboard.press(str(key))
        expect(panel.viewer.get_by_role("radio", name=name, exact=True)).to_have_attribute(
            "aria-checked", "true"
        )


def test_the_view_never_asks_for_a_comparison(panel: PanelPage) -> None:
    before = panel.notebook.frame_count()
    for name in MODES:
        panel.mode(name)
    panel.button("Zoom in").click()
    panel.settle()
    said = {one.says for one in panel.notebook.frames(before) if one.sent and one.says}
    assert said <= {"view", "tile", "ping"}
    assert panel.notebook.said("result", before) == []


def zoom_text(panel: PanelPage) -> str:
    return panel.viewer.locator(".vde-zoom-value").inner_text()


def test_buttons_zoom_in_and_out_and_back(panel: PanelPage) -> None:
    fitted = zoom_text(panel)
    panel.button("Zoom in").click()
    panel.button("Zoom in").click()
    panel.until("panel.view['scale'] is not None", True)
    assert zoom_text(panel) != fitted
    panel.button("Show at 100 %").last.click()
    panel.until("panel.view['scale']", 1)
    assert zoom_text(panel) == "100 %"
    panel.button("Fit").click()
    panel.until("panel.view['scale'] is None", True)
    assert zoom_text(panel) == fitted


def test_the_wheel_zooms_only_with_a_modifier(panel: PanelPage) -> None:
    panel.hover(400, 300)
    panel.page.mouse.wheel(0, -300)
    panel.settle()
    assert panel.value("panel.view['scale']") is None, "a page scroll zoomed"
    panel.stage.scroll_into_view_if_needed()
    panel.hover(600, 200)
    panel.page.keyboard.down("Control")
    panel.page.mouse.wheel(0, -400)
    panel.page.keyboard.up("Control")
    panel.until("panel.view['scale'] is not None", True)
    panel.settle()
    panel.hover(600, 200)
    expect(place(panel)).to_have_text(re.compile("^(599|60[01]), (199|20[01])$"))


def test_a_double_click_zooms_in_and_back(panel: PanelPage) -> None:
    panel.page.mouse.dblclick(*panel.point(400, 300))
    panel.until("panel.view['scale'] is not None", True)
    panel.settle()
    panel.page.mouse.dblclick(*panel.point(*panel.value("[panel.view['cx'], panel.view['cy']]")))
    panel.until("panel.view['scale'] is None", True)


def test_a_drag_moves_the_picture_under_the_pointer(panel: PanelPage) -> None:
    for _ in range(4):
        panel.button("Zoom in").click()
    panel.settle()
    x, y = panel.value("[panel.view['cx'], panel.view['cy']]")
    scale = panel.value("panel.view['scale']")
    start = panel.point(x, y)
    panel.page.mouse.move(*start)
    panel.page.mouse.down()
    panel.page.mouse.move(start[0] + 60, start[1] - 30, steps=5)
    panel.page.mouse.up()
    panel.settle()
    assert panel.value("panel.view['cx']") == pytest.approx(x - 60 / scale, abs=1)
    assert panel.value("panel.view['cy']") == pytest.approx(y + 30 / scale, abs=1)


def test_a_drag_of_the_picture_that_leaves_the_window_lets_go(panel: PanelPage) -> None:
    for _ in range(3):
        panel.button("Zoom in").click()
    panel.settle()
    start = panel.point(*panel.value("[panel.view['cx'], panel.view['cy']]"))
    panel.page.mouse.move(*start)
    panel.page.mouse.down()
    panel.page.mouse.move(-50, -50, steps=4)
    panel.page.mouse.up()
    panel.settle()
    before = panel.value("panel.view")
    panel.page.mouse.move(start[0], start[1], steps=4)
    panel.settle()
    assert panel.value("panel.view") == before


def place(panel: PanelPage):  # type: ignore[no-untyped-def]
    """Where the read-out says the pointer is."""
    return panel.viewer.locator(".vde-readout .vde-field-value").first


def test_the_readout_tells_what_numpy_tells(panel: PanelPage) -> None:
    changed = panel.value("__import__('numpy').argwhere(panel.comparison.mask)[5][::-1].tolist()")
    for x, y in (changed, (100, 50), (799, 599), (0, 0)):
        reference, current, heat = panel.value(
            f"[panel.comparison.pair.reference.array[{y}, {x}].tolist(),"
            f" panel.comparison.pair.current.array[{y}, {x}].tolist(),"
            f" int(panel.comparison.clean_heatmap[{y}, {x}])]"
        )
        panel.hover(x, y)
        expect(place(panel)).to_have_text(f"{x}, {y}")
        shown = panel.viewer.locator(".vde-readout .vde-channel")
        expect(shown).to_have_text([str(value) for value in [*reference, *current]])
        fields = panel.viewer.locator(".vde-readout .vde-field-value")
        delta = max(abs(a - b) for a, b in zip(reference, current, strict=True))
        expect(fields.nth(1)).to_have_text(str(delta))
        # What the threshold is held against: the heatmap without specks below a region's size.
        expect(fields.nth(2)).to_have_text(str(heat))


def test_the_readout_names_the_anomaly_under_the_pointer(panel: PanelPage) -> None:
    x, y = panel.value("list(panel.comparison.anomalies[0].centroid)")
    kind = panel.value("panel.comparison.anomalies[0].type")
    panel.hover(round(x), round(y))
    expect(panel.viewer.locator(".vde-under")).to_contain_text(f"#1 {kind}")


def test_a_click_on_a_region_selects_it(panel: PanelPage) -> None:
    x, y = panel.value("list(panel.comparison.anomalies[1].centroid)")
    panel.click(round(x), round(y))
    panel.until("panel.selected", 2)


def test_opacity_and_colours_are_chosen_in_the_layers(panel: PanelPage) -> None:
    panel.button("Layers and colours").click()
    layers = panel.viewer.get_by_role("dialog", name="Layers and colours")
    layers.get_by_role("slider", name=re.compile("Opacity")).fill("80")
    layers.get_by_role("button", name="Type").click()
    layers.get_by_role("checkbox", name="Labels").uncheck()
    layers.get_by_role("checkbox", name="Hatch as well as colour").check()
    panel.until("panel.view['opacity']", 0.8)
    view = panel.value("panel.view")
    assert view["colour_by"] == "type"
    assert view["hatch"]
    assert view["layers"]["label"] is False
    panel.page.keyboard.press("Escape")
    expect(layers).to_be_hidden()


def test_the_view_trait_moves_the_viewer(panel: PanelPage) -> None:
    panel.execute("panel.view = {**panel.view, 'mode': 'wipe', 'scale': 2.0, 'cx': 300, 'cy': 200}")
    expect(panel.viewer.get_by_role("radio", name="Wipe", exact=True)).to_have_attribute(
        "aria-checked", "true"
    )
    assert zoom_text(panel) == "200 %"
    panel.hover(310, 210)
    expect(place(panel)).to_have_text("310, 210")


def test_the_divider_of_the_wipe_is_dragged(panel: PanelPage) -> None:
    panel.mode("Wipe")
    panel.settle()
    middle = panel.point(400, 100)
    box = panel.stage.bounding_box()
    assert box is not None
    start = (box["x"] + box["width"] / 2, middle[1])
    panel.page.mouse.move(*start)
    panel.page.mouse.down()
    panel.page.mouse.move(start[0] - 120, start[1], steps=5)
    panel.page.mouse.up()
    panel.settle()
    assert panel.value("panel.view['wipe']") < 0.45


def test_full_screen_and_back(panel: PanelPage) -> None:
    panel.button("Full screen").click()
    expect(panel.button("Leave full screen")).to_be_visible()
    panel.button("Leave full screen").click()
    expect(panel.button("Full screen")).to_be_visible()
