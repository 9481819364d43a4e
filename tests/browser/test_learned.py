"""The semantic method and models of normality in the panel: lists, legends, what is missing."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .conftest import Show
from .panel_page import PanelPage, sample_cell

#: A tyre with a soft shadow on it.
SHADOW = """
import vde_nb as vde
import numpy as np
pair = vde.samples.load("tyre")
y, x = np.mgrid[:600, :800]
shade = 1 - 0.35 * np.sqrt(np.clip(1 - np.hypot((x - 620) / 110, (y - 420) / 90), 0, 1))
current = (pair.current * shade[..., None]).astype(np.uint8)
try:
    panel.close()
except NameError:
    pass
panel = vde.Panel(pair.reference, current, method="semantic", fuse="fast-and-deep",
                  segmenter="none")
panel
"""


def legend(panel: PanelPage) -> list[str]:
    panel.button("Layers and colours").click()
    entries = panel.viewer.get_by_role("list", name="Colours").get_by_role("listitem")
    return [one.replace("\n", " ") for one in entries.all_inner_texts()]


def test_a_shadow_is_hatched_and_stands_in_the_legend(show: Show) -> None:
    panel = show(SHADOW.strip()).ready(40)
    kinds = panel.value("[one.type for one in panel.comparison.anomalies]")
    count = kinds.count("environmental")
    assert 0 < count < len(kinds)
    assert f"environmental {count}" in legend(panel), "also where colours stand for severities"
    panel.notebook.shot("environmental-severity", panel.viewer)
    layers = panel.viewer.get_by_role("dialog", name="Layers and colours")
    inside, whole = layers.bounding_box(), panel.viewer.bounding_box()
    assert inside is not None and whole is not None and inside["x"] >= whole["x"]
    layers.get_by_role("button", name="Type").click()
    swatch = layers.locator("li", has_text="environmental").locator(".vde-swatch")
    expect(swatch).to_have_class(re.compile("vde-swatch-hatched"))
    panel.page.keyboard.press("Escape")
    expect(panel.rows.filter(has_text="environmental")).to_have_count(count)
    panel.page.mouse.move(5, 5)
    panel.notebook.shot("environmental-type", panel.viewer)


def test_the_list_of_features_says_what_each_needs(show: Show) -> None:
    panel = show(sample_cell(method="semantic")).ready(40)
    features = panel.control("combobox", re.compile("^Features"))
    words = features.locator("option").all_text_contents()
    words = [one.replace("\u00a0", " ") for one in words]
    assert words[0] == "Embedded descriptors"
    assert any(re.search(r"DINOv2 .* (download|needs)", one) for one in words)
    panel.notebook.shot("semantic-panel", panel.root)


def test_a_panel_without_a_model_says_how_to_make_one_and_finds_it(show: Show) -> None:
    panel = show(sample_cell())
    panel.ready()
    panel.execute("from vde_nb.normality import registry; registry._known.clear()")
    panel.control("combobox", "Method").select_option("Normality")
    alert = panel.viewer.get_by_role("alert")
    expect(alert).to_contain_text("Normality.fit")
    panel.notebook.shot("normality-none", panel.root)
    panel.execute(
        "normals = [vde.samples.stress(pair.reference, seed, defects=()).current"
        " for seed in range(3)]\n"
        "model = vde.Normality.fit(normals, model='variation')"
    )
    panel.root.get_by_title("Look for models again").click()
    models = panel.control("combobox", "Model")
    expect(models.locator("option")).to_have_count(2)
    models.select_option(index=1)
    panel.until("panel.status", "ready", 30)
    panel.ready()
    expect(alert).to_be_hidden()
    expect(panel.root).to_contain_text("3 normal pictures")
    panel.notebook.shot("normality-panel", panel.root)
