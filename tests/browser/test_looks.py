"""How the panel looks: screenshots of every mode, in both themes, narrow and wide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .conftest import Open
from .notebook import NARROW, WIDE, Notebook
from .panel_page import MODES, PanelPage, sample_cell


@pytest.fixture(scope="module")
def dressed(shared: Notebook) -> Iterator[PanelPage]:
    """One panel for all pictures."""
    shared.console.clear()
    shared.change(0, sample_cell())
    shared.run(0)
    yield PanelPage(shared).ready()
    shared.theme("light")
    assert shared.errors() == []


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_mode(dressed: PanelPage, theme: str, width: int) -> None:
    dressed.notebook.theme(theme)
    dressed.notebook.resize(width, 2000)  # high enough for all of it
    for name in MODES:
        dressed.mode(name)
        dressed.page.mouse.move(5, 5)
        dressed.page.wait_for_timeout(60)
        dressed.notebook.shot(f"{name.lower()}-{theme}-{width}", dressed.viewer)
    dressed.mode("Overlay")
    dressed.notebook.shot(f"panel-{theme}-{width}", dressed.root)
    overflowing = dressed.viewer.evaluate(
        """root => {
          const right = root.getBoundingClientRect().right + 1;
          return Array.from(root.querySelectorAll("button, input, canvas, select"))
            .filter(one => one.offsetParent !== null && !one.closest(".vde-table-box"))
            .filter(one => one.getBoundingClientRect().right > right)
            .map(one => one.getAttribute("aria-label") || one.outerHTML.slice(0, 80));
        }"""
    )
    assert overflowing == []


def test_the_colours_follow_the_theme(dressed: PanelPage) -> None:
    seen = []
    for theme in ("light", "dark"):
        dressed.notebook.theme(theme)
        seen.append(dressed.viewer.evaluate("root => getComputedStyle(root).color"))
    dressed.notebook.theme("light")
    assert seen[0] != seen[1]


def test_no_style_leaks_out(dressed: PanelPage) -> None:
    loose = dressed.page.evaluate(
        """() => {
          const loose = [];
          for (const sheet of document.styleSheets) {
            let rules;
            try { rules = sheet.cssRules; } catch { continue; }
            const text = Array.from(rules, rule => rule.cssText).join();
            if (!text.includes(".vde-")) continue;
            const walk = list => {
              for (const rule of list) {
                if (rule.cssRules?.length && !rule.selectorText) walk(rule.cssRules);
                else if (rule.selectorText && !rule.selectorText.split(/,(?![^(]*\\))/)
                  .every(one => one.includes(".vde-"))) loose.push(rule.selectorText);
              }
            };
            walk(rules);
          }
          return loose;
        }"""
    )
    assert loose == []


def test_pixels_are_sharp_on_a_screen_of_double_density(open_notebook: Open) -> None:
    notebook = open_notebook("dense.ipynb", [sample_cell()], device_scale_factor=2)
    notebook.run(0)
    panel = PanelPage(notebook).ready()
    sizes = panel.stage.evaluate(
        """stage => Array.from(stage.querySelectorAll("canvas"))
             .filter(one => one.offsetParent !== null)
             .map(one => one.width / one.getBoundingClientRect().width)"""
    )
    assert sizes
    assert all(1.9 < one < 2.1 for one in sizes)
    notebook.shot("dense", panel.stage)
