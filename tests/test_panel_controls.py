"""The panel's controls are made from the declarations, and follow the panel both ways."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import ipywidgets as widgets
import pytest

from tests.panel_stand_in import StandIn
from tests.panel_tools import widgets_alive
from vde_nb import SettingError
from vde_nb.methods import METHODS
from vde_nb.panel._controls import Controls, build_controls
from vde_nb.panel._entries import entry
from vde_nb.settings import PRESETS, declarations, resolve


@pytest.fixture
def panel() -> StandIn:
    return StandIn()


@pytest.fixture
def controls(panel: StandIn) -> Iterator[Controls]:
    made = build_controls(panel)
    made.fold.selected_index = 0
    yield made
    made.close()


def shown_names(controls: Controls, box: widgets.VBox | None = None) -> set[str]:
    boxes = [controls.common, controls.advanced] if box is None else [box]
    rows = {row: name for name, row in controls._rows.items()}
    return {rows[child] for one in boxes for child in one.children if child in rows}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_setting_of_the_method_and_no_other_is_shown(
    panel: StandIn, controls: Controls, method: str
) -> None:
    panel.method = method
    elsewhere = {"threshold", "nudge", "ignore", "segmenter"}
    used = {one.name for one in declarations(method, panel.segmenter)} - elsewhere
    assert shown_names(controls) == used
    panel.segmenter = "auto"
    assert shown_names(controls) == {one.name for one in declarations(method)} - elsewhere
    panel.segmenter = "graphcut"
    plain = {one.name for one in declarations(method, "graphcut") if not one.advanced} - elsewhere
    assert shown_names(controls, controls.common) == plain
    assert not panel.errors


def test_advanced_settings_are_folded_away_and_made_when_looked_at(panel: StandIn) -> None:
    controls = build_controls(panel)
    assert controls.fold.selected_index is None
    assert controls.fold.children == (controls.advanced,)
    assert controls.advanced.children == ()
    panel.settings = {"align": "affine"}
    assert "1 setting differs" in controls.count.value
    known = set(controls.entries)
    controls.fold.selected_index = 0
    assert controls.entries["align"].input.value == "affine"
    assert known < set(controls.entries)
    panel.method = "hybrid"
    assert controls.advanced.children
    controls.close()
    assert not panel.errors


def test_the_list_of_segmenters_follows_a_download(
    panel: StandIn, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")  # or the list says that it is needed
    labels = {name: label for label, name in controls.segmenter.options}
    assert labels["sam_vit_b"].endswith("download 375 MB")
    panel.segmenter = "sam_vit_b"
    lines = [(name.upper(), name) for name in labels]
    monkeypatch.setattr("vde_nb.panel._controls._segmenter_lines", lambda: lines)
    settings = SimpleNamespace(segment=SimpleNamespace(segmenter="sam_vit_b"))
    panel._found = SimpleNamespace(settings=settings, outlined_by="SAM ViT-B", anomalies=[1])
    controls._compared()
    assert controls.segmenter.label == "SAM_VIT_B"
    assert panel.calls == [] and not panel.errors


def test_moving_a_slider_changes_the_panel(panel: StandIn, controls: Controls) -> None:
    controls.entries["tolerance"].input.value = 3
    assert panel.settings == {"tolerance": 3}


def test_a_trait_set_from_python_moves_the_slider_and_asks_for_nothing(
    panel: StandIn, controls: Controls
) -> None:
    panel.settings = {"tolerance": 4, "min_area": 1000, "align": "affine"}
    assert controls.entries["tolerance"].input.value == 4
    assert controls.entries["min_area"].input.value == pytest.approx(1000)
    assert controls.entries["align"].input.value == "affine"
    assert panel.calls == []


def test_values_beyond_a_slider_stay_what_they_are(panel: StandIn, controls: Controls) -> None:
    made = controls.entries["min_area"]
    panel.settings = {"min_area": 0}
    assert (made.input.value, made.slider.value) == (0, 1)
    panel.settings = {"min_area": 40_000_000}
    assert (made.input.value, made.slider.value) == (40_000_000, 100_000)
    assert panel.calls == [] and panel.settings == {"min_area": 40_000_000}


def test_a_slider_of_magnitudes_gives_whole_pixels(panel: StandIn, controls: Controls) -> None:
    made = controls.entries["min_area"]
    made.slider.value = 10**2.3
    assert panel.settings == {"min_area": 200}
    assert made.input.value == 200
    assert made.slider.value == 10**2.3  # it is not set back under the hand that drags it
    made.input.value = 1234
    assert panel.settings == {"min_area": 1234}
    assert made.slider.value == 1234


def test_a_browser_that_rounds_a_slider_changes_nothing(panel: StandIn, controls: Controls) -> None:
    panel.settings = {"min_area": 64, "false_alarms": 0.07}
    controls.entries["min_area"].slider.value = 10**1.8
    controls.entries["false_alarms"].slider.value = 10**-1.15
    panel.settings, panel.method = {"ssim_weight": 0.333, "min_area": 64}, "hybrid"
    controls.entries["ssim_weight"].input.value = 0.33
    assert panel.calls == []
    controls.entries["ssim_weight"].input.value = 0.34
    assert panel.settings["ssim_weight"] == 0.34


def test_a_slider_of_fractions_gives_no_crumbs(panel: StandIn, controls: Controls) -> None:
    panel.method = "hybrid"
    controls.entries["ssim_weight"].input.value = 0.1 + 0.2
    assert panel.settings == {"ssim_weight": 0.3}


def test_what_differs_from_the_preset_is_marked_and_can_be_reset(
    panel: StandIn, controls: Controls
) -> None:
    controls.entries["tolerance"].input.value = 3
    assert controls.resets["tolerance"].layout.visibility == "visible"
    assert controls.resets["min_area"].layout.visibility == "hidden"
    assert "vde-changed" in controls._rows["tolerance"]._dom_classes
    assert "1 setting differs" in controls.count.value
    controls.resets["tolerance"].click()
    assert panel.settings == {}
    assert controls.entries["tolerance"].input.value == 0
    assert controls.resets["tolerance"].layout.visibility == "hidden"
    assert "vde-changed" not in controls._rows["tolerance"]._dom_classes


def test_reset_all_takes_everything_back(panel: StandIn, controls: Controls) -> None:
    assert controls.reset_all.disabled
    panel.change(tolerance=2, min_area=5, flow=False)
    assert not controls.reset_all.disabled
    controls.reset_all.click()
    assert panel.settings == {}


def test_the_published_preset_brings_a_published_method(panel: StandIn, controls: Controls) -> None:
    controls.preset.value = "published"
    assert (panel.method, panel.preset) == ("hybrid", "published")
    assert controls.method.value == "hybrid"
    controls.method.value = "robust"
    assert (panel.method, panel.preset) == ("robust", "default")
    assert controls.preset.value == "default"
    assert not panel.errors


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "published"])
def test_a_preset_shows_its_values_and_says_what_it_is_for(
    panel: StandIn, controls: Controls, preset: str
) -> None:
    controls.preset.value = preset
    expected = resolve("robust", preset).flat()
    assert (
        controls.entries["min_area"].read(controls.entries["min_area"].input.value)
        == (expected["min_area"])
    )
    assert len(controls.about_preset.value) > 40
    assert "differ" not in controls.count.value


def test_thresholds_are_typed_and_checked_in_words(panel: StandIn, controls: Controls) -> None:
    panel.method = "multi_fusion"
    field = controls.entries["thresholds"]
    field.input.value = "20; 60 90"
    assert panel.settings == {"thresholds": (20, 60, 90)}
    for typed, said in [
        ("20, many", "“many” is no number"),
        ("20, 300", "300 is outside 0 to 255"),
        ("20.5", "20.5 is not a whole number"),
        ("", "at least one number"),
        ("nan", "is no number"),
        ("<b>1</b>", "“&lt;b&gt;1&lt;/b&gt;” is no number"),
    ]:
        field.input.value = typed
        assert said in field.complaint.value
        assert field.complaint.layout.display is None
        assert field.input.value == typed  # stays, to be put right
        assert panel.settings == {"thresholds": (20, 60, 90)}
    field.input.value = "20 60"
    assert field.complaint.layout.display == "none"
    assert not panel.errors


def test_errors_of_the_panel_are_shown_by_the_panel(panel: StandIn, controls: Controls) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("out of order")

    panel.change = fail  # type: ignore[method-assign]
    controls.entries["tolerance"].input.value = 3
    [(title, error)] = panel.errors
    assert "tolerance" in title and str(error) == "out of order"
    assert controls.entries["tolerance"].input.value == 0  # what the panel still holds


@pytest.mark.parametrize("declared", declarations(), ids=lambda one: one.name)
def test_every_setting_has_an_entry_that_reads_what_it_writes(declared: object) -> None:
    made = entry(declared)  # type: ignore[arg-type]
    try:
        assert made.read(made.write(made.declared.default)) == made.declared.default
        assert made.input.description
        words = getattr(made.input, "tooltip", None) or made.input.description_tooltip
        assert made.declared.help in words
        for bound in (made.declared.low, made.declared.high):
            if bound is not None:
                value = (bound,) * (made.declared.count or 1) if made.declared.many else bound
                made.show(made.declared.check(value))
                assert made.read(made.input.value) == made.declared.check(value)
    finally:
        made.box.close()


def test_rows_are_kept_when_the_method_changes(panel: StandIn, controls: Controls) -> None:
    panel.change(min_area=64)
    before = controls._rows["min_area"]
    panel.method = "ensemble"
    assert controls._rows["min_area"] is before
    assert controls.entries["min_area"].input.value == pytest.approx(64)
    assert "vde-changed" in before._dom_classes


def test_close_frees_every_widget_and_stops_watching() -> None:
    known = len(widgets_alive())
    panel = StandIn()
    made = build_controls(panel)
    assert len(widgets_alive()) > known + 50
    made.close()
    assert len(widgets_alive()) == known
    panel.method = "hybrid"
    panel.change(min_area=3)
    assert not panel.errors
    made.close()  # twice does no harm


def test_a_wrong_value_says_what_is_allowed(panel: StandIn) -> None:
    with pytest.raises(SettingError):
        panel.change(tolerance=99)


def test_the_controls_of_a_real_panel_follow_it_both_ways() -> None:
    import vde_nb as vde

    pair = vde.samples.load("wall")
    panel = vde.Panel(pair.reference, pair.current, segmenter="none")
    controls = build_controls(panel)
    controls.preset.value = "published"
    assert (panel.method, panel.preset) == ("hybrid", "published")
    controls.method.value = "robust"
    assert (panel.method, controls.preset.value) == ("robust", "default")
    controls.entries["min_area"].slider.value = 200
    assert panel.settings["min_area"] == 200
    panel.change(tolerance=3)
    assert controls.entries["tolerance"].input.value == 3
    panel.wait()
    assert panel.message == "" and panel.comparison.settings.detect.min_area == 200
    controls.reset_all.click()
    assert controls.entries["min_area"].input.value == 16
    controls.close()
    panel.close()
