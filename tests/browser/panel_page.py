"""The panel as a person sees it: found by what assistive technology is told, not by markup."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, expect

from .notebook import Notebook

#: CSS pixels that a fitted picture leaves free on each side (geometry.js).
MARGIN = 12

MODES = ("Overlay", "Wipe", "Blink", "Side", "Heatmap", "Reference", "Current")

RESET = """
from vde_nb.panel._view import default_view as _view
{name}.preset = "default"
{name}.change(segmenter="none")
{name}.reset("threshold")
{name}.change(prompts=[], ignore=[], nudge=(0, 0))
{name}.reviews = []
{name}.view = _view()
{name}.selected = 0
{name}.explain(False)
{name}.wait()
"""

#: What a cell runs to show a sample; comparing by pixels keeps a test short.
SAMPLE = """
import vde_nb as vde
pair = vde.samples.load({sample!r})
try:
    {name}.close()
except NameError:
    pass
{name} = vde.Panel(pair.reference, pair.current, method={method!r}, segmenter="none"{more})
{name}
"""


def sample_cell(
    sample: str = "tyre", name: str = "panel", method: str = "hybrid", more: str = ""
) -> str:
    """A cell that shows a panel with a sample; the panel before it is closed."""
    more = f", {more}" if more else ""
    return SAMPLE.format(sample=sample, name=name, method=method, more=more).strip()


class PanelPage:
    """One panel in the output of a cell.

    Parameters
    ----------
    notebook : Notebook
        Where it is.
    name : str
        What the panel is called in the kernel.
    cell : int
        The cell that shows it.
    """

    def __init__(self, notebook: Notebook, name: str = "panel", cell: int = 0) -> None:
        self.notebook, self.name, self.cell = notebook, name, cell
        self.page = notebook.page
        output = self.page.locator(".jp-Cell").nth(cell).locator(".jp-Cell-outputWrapper")
        self.root: Locator = output.locator(".vde-panel")
        self.viewer: Locator = output.get_by_role("region", name="Image comparison")
        self.static: Locator = output.locator(".vde-static")

    # Opening

    def begin_again(self) -> PanelPage:
        """Set everything back that Python knows, and the tool; wait until it is shown."""
        self.page.mouse.move(5, 5)
        self.tool("Look around")
        self.execute(RESET.format(name=self.name))
        self.until(f"{self.name}.status", "ready")
        expect(self.threshold).to_have_attribute("aria-valuenow", "50")
        return self.ready()

    def ready(self, seconds: float = 20.0) -> PanelPage:
        """Wait until kernel and browser show the finished comparison."""
        expect(self.viewer).to_be_visible(timeout=seconds * 1000)
        self.notebook.until(f"{self.name}.status", "ready", seconds)
        expect(self.count).to_have_text(self.count_text(), timeout=seconds * 1000)
        return self

    def count_text(self) -> re.Pattern[str]:
        """What the number of anomalies should read."""
        number = self.value(f"len({self.name}.comparison.anomalies)")
        return re.compile(rf"^({number or 'no'}) regions? ", re.I)

    def value(self, expression: str) -> Any:
        """A value of the kernel."""
        return self.notebook.value(expression)

    def execute(self, code: str) -> str:
        """Run code in the kernel."""
        return self.notebook.execute(code)

    def until(self, expression: str, wanted: Any = None, seconds: float = 10.0) -> Any:
        """Wait for a value of the kernel."""
        return self.notebook.until(expression, wanted, seconds)

    # Parts

    @property
    def stage(self) -> Locator:
        """Where the pictures are."""
        return self.viewer.get_by_role("application", name="Pictures")

    @property
    def threshold(self) -> Locator:
        """The threshold's slider."""
        return self.viewer.get_by_role("slider", name="Threshold", exact=True)

    @property
    def count(self) -> Locator:
        """How many anomalies there are."""
        return self.viewer.locator("output.vde-count")

    @property
    def table(self) -> Locator:
        """The anomalies, one in a row."""
        return self.viewer.get_by_role("grid", name="Regions")

    @property
    def rows(self) -> Locator:
        """Rows of the table, without its head."""
        return self.table.locator("tbody tr[data-number]")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """A button of the viewer."""
        return self.viewer.get_by_role("button", name=name)

    def control(self, role: Any, name: str | re.Pattern[str]) -> Locator:
        """A control around the viewer."""
        return self.root.get_by_role(role, name=name)

    # What a person does

    def mode(self, name: str) -> None:
        """Choose a way of looking."""
        self.viewer.get_by_role("radio", name=name, exact=True).click()

    def tool(self, name: str) -> None:
        """Choose a tool."""
        self.viewer.get_by_role("radio", name=name, exact=True).click()

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page a point of the picture is, as the view says that the kernel has."""
        self.stage.scroll_into_view_if_needed()
        box = self.stage.bounding_box()
        assert box is not None
        height, width = self.value(f"{self.name}.comparison.pair.shape[:2]")
        view = self.value(f"{self.name}.view")
        if view["scale"] is None:
            scale = min((box["width"] - 2 * MARGIN) / width, (box["height"] - 2 * MARGIN) / height)
            cx, cy = width / 2, height / 2
        else:
            scale, cx, cy = view["scale"], view["cx"], view["cy"]
        return (
            box["x"] + box["width"] / 2 + (x - cx) * scale,
            box["y"] + box["height"] / 2 + (y - cy) * scale,
        )

    def hover(self, x: float, y: float) -> None:
        """Put the pointer on the middle of a pixel."""
        self.page.mouse.move(*self.point(x + 0.5, y + 0.5))

    def click(self, x: float, y: float, *modifiers: str) -> None:
        """Click into a pixel."""
        for key in modifiers:
            self.page.keyboard.down(key)
        self.page.mouse.click(*self.point(x + 0.5, y + 0.5))
        for key in modifiers:
            self.page.keyboard.up(key)

    def drag(self, start: tuple[float, float], end: tuple[float, float], steps: int = 6) -> None:
        """Drag from one point of the picture to another."""
        first, last = self.point(*start), self.point(*end)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=steps)
        self.page.mouse.up()

    def settle(self) -> None:
        """Until the view has reached the kernel, which it does a little after a movement."""
        self.page.wait_for_timeout(450)

    def drag_threshold(self, first: int, last: int, steps: int = 20, release: bool = True) -> None:
        """Drag the slider's thumb, as a person would, from one value to another."""
        self.threshold.scroll_into_view_if_needed()
        box = self.threshold.bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2

        def place(value: float) -> float:
            return box["x"] + box["width"] * (value + 0.5) / 256

        self.page.mouse.move(place(first), middle)
        self.page.mouse.down()
        for step in range(1, steps + 1):
            self.page.mouse.move(place(first + (last - first) * step / steps), middle)
        if release:
            self.page.mouse.up()

    def shown_threshold(self) -> int:
        """What the slider says."""
        return int(self.threshold.get_attribute("aria-valuenow") or -1)
