"""Takes the README's picture of the panel again: ``python -m docs.screenshot`` in the repository.

A JupyterLab of its own, a headless Chromium (see CONTRIBUTING.md), a bundled pair of
pictures. The result is `docs/panel.png`: one cell with its output, without the rest of JupyterLab.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import vde_nb as vde
from tests.browser import chromium
from tests.browser.lab import Lab
from tests.browser.notebook import Notebook
from tests.browser.panel_page import PanelPage

TARGET = Path(__file__).with_name("panel.png")
SAMPLE, SHOWN = "board", "missing_part"
CELL = 'import vde_nb as vde\n\npanel = vde.Panel("golden.png", "today.png")\npanel'
WIDTH, HEIGHT = 1240, 1600
#: Pixels of the picture per pixel of the page: sharp on most screens, and small enough to load.
SCALE = 1.5
STYLE = ".jp-cell-toolbar { display: none }"
#: Space around the cell, in pixels of the page.
MARGIN = 4


def take(folder: Path) -> None:
    """Write `TARGET`; `folder` is where JupyterLab may write."""
    with (
        sync_playwright() as playwright,
        Lab(folder / "home", VDE_NB_CACHE=str(folder / "cache")) as lab,
    ):
        pair = vde.samples.load(SAMPLE, shift=(2.4, -1.6), light=0.35)
        Image.fromarray(pair.reference).save(lab.notebooks / "golden.png")
        Image.fromarray(pair.current).save(lab.notebooks / "today.png")
        browser = playwright.chromium.launch(
            executable_path=chromium.find(playwright), args=list(chromium.ARGUMENTS)
        )
        page = browser.new_context(device_scale_factor=SCALE).new_page()
        notebook = Notebook(lab, page, folder).open("inspection.ipynb", [CELL])
        notebook.resize(WIDTH, HEIGHT)
        notebook.run(0)
        panel = PanelPage(notebook).ready(60)
        x, y, w, h = panel.value(
            f"[a.box for a in panel.comparison.anomalies if a.type == {SHOWN!r}][0]"
        )
        panel.click(x + w // 2, y + h // 2)  # a selected region shows its row, too
        panel.settle()
        page.mouse.move(1, 1)
        page.add_style_tag(content=STYLE)
        page.evaluate("document.activeElement?.blur()")
        page.wait_for_timeout(500)
        first = page.locator(".jp-InputPrompt").first.bounding_box()  # right of Lab's own bars
        box = page.locator(".jp-Cell").first.bounding_box()
        assert first is not None and box is not None
        page.screenshot(
            path=str(folder / "panel.png"),
            animations="disabled",
            clip={
                "x": first["x"],
                "y": max(0, box["y"] - MARGIN),
                "width": box["x"] + box["width"] + MARGIN - first["x"],
                "height": box["height"] + 2 * MARGIN,
            },
        )
        notebook.kill_kernel()
        browser.close()
    # 256 colours are plenty for controls and a board, and a quarter of the bytes; this way of
    # choosing them keeps the few pixels of the controls' blue.
    with Image.open(folder / "panel.png") as shot:
        few = shot.convert("RGB").quantize(
            256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
        few.save(TARGET, optimize=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        take(Path(scratch))
