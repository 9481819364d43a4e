"""A whole notebook on one page: everything on it is looked at, not only what is in view."""

from __future__ import annotations

import contextlib
from typing import Any

from .notebook import HEIGHT, WIDE, Notebook

#: Chromium takes no screenshots beyond 16384 pixels.
HIGHEST = 16_000

#: Seconds in which a widget is drawn once its cell is done.
DRAWN = 20.0

#: How high the window must be for all cells, from the first. Lab takes cells that are far from the
#: window off the page and guesses how high they are; below the last cell it leaves room.
NEEDED = """
() => {
  const { content } = shownNotebook();
  const outer = content.node.querySelector(".jp-WindowedPanel-outer") ?? content.node;
  outer.scrollTop = 0;
  const last = content.widgets[content.widgets.length - 1].node;
  const inside = last.isConnected
    ? last.getBoundingClientRect().bottom - outer.getBoundingClientRect().top + outer.scrollTop
    : outer.scrollHeight;
  return Math.ceil(inside + window.innerHeight - outer.clientHeight + 20);
}
"""

#: What is wrong with each cell's outputs, as they are on the page. A widget must have a size, and
#: a viewer's canvas something drawn on it. Bars of progress come and go.
LOOK = """
() => {
  const WIDGET = "application/vnd.jupyter.widget-view+json";
  const drawn = canvas => {
    const tile = new OffscreenCanvas(32, 32);
    const pen = tile.getContext("2d");
    pen.drawImage(canvas, 0, 0, 32, 32);
    const pixels = new Uint32Array(pen.getImageData(0, 0, 32, 32).data.buffer);
    return new Set(pixels).size > 8;
  };
  const found = [];
  const cells = shownNotebook().content.widgets;
  cells.forEach((cell, number) => {
    if (cell.model.type !== "code") return;
    const told = what => found.push(`cell ${number}: ${what}`);
    if (cell.model.sharedModel.getSource().trim() && !cell.model.executionCount) {
      told("it was not run");
    }
    const outputs = cell.model.outputs.toJSON();
    for (const output of outputs) {
      if (output.output_type === "error") told(`it raised ${output.ename}: ${output.evalue}`);
      if (output.output_type === "stream" && output.name === "stderr") {
        told(`it wrote to stderr: ${[output.text].flat().join("")}`);
      }
    }
    const node = cell.node.querySelector(".jp-Cell-outputWrapper");
    const widgets = outputs.filter(output => output.data?.[WIDGET]
      && !/\\b\\d{1,3}%/.test([output.data["text/plain"] ?? ""].flat().join("")));
    if (outputs.length && !node?.isConnected) {
      told("its outputs are not on the page");
      return;
    }
    const text = node?.textContent ?? "";
    const said = /Error (displaying|creating) widget.*|Loading widget|Model not found/.exec(text);
    if (said) told(`a widget says: ${said[0]}`);
    for (const image of node?.querySelectorAll("img") ?? []) {
      // The filmstrip keeps images without an address for pairs that are not shown.
      const asked = image.getAttribute("src") && image.complete;
      if (asked && !image.naturalWidth) told("a picture is broken");
    }
    if (!widgets.length) return;
    const views = [...node.querySelectorAll(".jupyter-widgets, .jp-OutputArea-output .widget-box")]
      .filter(view => view.getBoundingClientRect().height > 10);
    if (!views.length) told("a widget is not on the page");
    if (widgets.some(output => [output.data["text/plain"]].flat().join("").startsWith("Panel("))) {
      const stages = [...node.querySelectorAll("[role=application]")];
      if (!stages.length) told("a panel has no viewer");
      for (const stage of stages) {
        const canvases = [...stage.querySelectorAll("canvas")].filter(one => one.width > 1);
        if (!canvases.some(drawn)) told("a panel's viewer is blank");
      }
      const alert = node.querySelector(".vde-panel [role=alert]");
      if (alert && alert.offsetHeight) told(`a panel says: ${alert.innerText}`);
    }
  });
  return found;
}
"""


def unfold(notebook: Notebook) -> None:
    """Make the window as high as the notebook, so that every cell is drawn."""
    height, settled = 0, 0
    for _ in range(20):
        wanted = max(HEIGHT, min(int(notebook.page.evaluate(NEEDED)), HIGHEST))
        settled = settled + 1 if wanted == height else 0
        if settled == 3:  # what has just come onto the page may still grow
            break
        height = wanted
        notebook.page.set_viewport_size({"width": WIDE, "height": height})
        notebook.page.wait_for_timeout(150)


def faults(notebook: Notebook, seconds: float = DRAWN) -> list[str]:
    """What is wrong on the page once everything has had time to be drawn; empty when all is well.

    A fault is a cell that raised, wrote to stderr or was not run, an output or a widget that is
    not there, a viewer that is blank, or an error on the page's console.
    """
    found: list[str] = []

    def well() -> bool:
        unfold(notebook)
        found[:] = look(notebook)
        return not found

    with contextlib.suppress(AssertionError):
        notebook.until(well, True, seconds)
    unfold(notebook)
    return found + [f"console: {text}" for text in notebook.errors()]


def look(notebook: Notebook) -> list[str]:
    """What is wrong on the page at this moment."""
    found: Any = notebook.page.evaluate(LOOK)
    return [str(one) for one in found]
