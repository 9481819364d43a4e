"""Cells run again, pages loaded again, kernels that die, are busy, or fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from .conftest import Open, Show
from .notebook import Notebook
from .panel_page import PanelPage, sample_cell


@pytest.fixture(scope="module")
def own(open_notebook: Open) -> Notebook:
    """A notebook whose page and kernel may suffer."""
    return open_notebook("lifecycle.ipynb", [sample_cell(), sample_cell("wall", "other"), "1 + 1"])


@pytest.fixture
def live(own: Notebook) -> Iterator[PanelPage]:
    """Its first panel, newly run."""
    own.run(0)
    yield PanelPage(own).ready()
    own.console.clear()


def test_the_panel_comes_back_when_the_page_is_reloaded(live: PanelPage) -> None:
    live.drag_threshold(50, 77)
    live.until("panel.threshold", 77)
    live.mode("Side")
    live.until("panel.view['mode']", "side")
    live.notebook.reload()
    live.ready()
    assert live.shown_threshold() == 77
    expect(live.viewer.get_by_role("radio", name="Side", exact=True)).to_have_attribute(
        "aria-checked", "true"
    )
    live.drag_threshold(77, 90)
    live.until("panel.threshold", 90)
    assert live.notebook.errors() == []


def test_a_cell_run_twice_shows_one_panel_that_works(live: PanelPage) -> None:
    live.notebook.run(0)
    live.ready()
    expect(live.viewer).to_have_count(1)
    live.drag_threshold(50, 70)
    live.until("panel.comparison.threshold", 70)
    assert live.notebook.errors() == []


def test_two_panels_do_not_disturb_each_other(live: PanelPage) -> None:
    live.notebook.run(1)
    other = PanelPage(live.notebook, "other", cell=1).ready()
    other.threshold.scroll_into_view_if_needed()
    other.drag_threshold(50, 90)
    live.until("other.threshold", 90)
    start = live.value("panel.threshold")
    assert start != 90
    assert live.shown_threshold() == start
    live.threshold.scroll_into_view_if_needed()
    live.drag_threshold(start, 30)
    live.until("panel.threshold", 30)
    assert live.value("other.threshold") == 90
    assert other.shown_threshold() == 90
    assert live.notebook.errors() == []
    live.execute("other.close()")


def test_one_panel_shown_in_two_cells_stays_in_step(live: PanelPage) -> None:
    live.notebook.change(2, "panel")
    live.notebook.run(2)
    second = PanelPage(live.notebook, cell=2).ready()
    second.threshold.scroll_into_view_if_needed()
    second.drag_threshold(50, 95)
    live.until("panel.threshold", 95)
    expect(live.threshold).to_have_attribute("aria-valuenow", "95")
    live.notebook.change(2, "1 + 1")
    live.notebook.run(2)


def test_a_busy_kernel_is_said_and_looking_goes_on(live: PanelPage) -> None:
    live.execute("panel.wait()")
    live.settle()
    live.page.evaluate(
        """() => { shownNotebook().sessionContext.session.kernel.requestExecute(
             { code: "import time; time.sleep(6)" }); }"""
    )
    live.drag_threshold(50, 80)
    expect(live.viewer).to_contain_text("kernel is busy", timeout=6000)
    live.mode("Wipe")
    live.notebook.shot("busy", live.root)
    expect(live.viewer).not_to_contain_text("kernel is busy", timeout=10_000)
    live.until("panel.threshold", 80)


def test_a_method_that_raises_is_told_in_the_panel(live: PanelPage) -> None:
    live.execute(
        "import vde_nb.panel._run as _run\n"
        "_kept = _run.compare\n"
        "def _broken(*given, **options):\n"
        "    raise RuntimeError('the <b>lamp</b> is out')\n"
        "_run.compare = _broken\n"
    )
    try:
        live.drag_threshold(50, 100)
        alert = live.viewer.get_by_role("alert")
        expect(alert).to_contain_text("the <b>lamp</b> is out")
        assert live.value("panel.status") == "error"
        alert.get_by_text("Details").click()
        expect(alert).to_contain_text("_broken")
        live.notebook.shot("error", live.root)
    finally:
        live.execute("_run.compare = _kept")
    live.drag_threshold(100, 60)
    live.until("panel.status", "ready")
    live.until("panel.comparison.threshold", 60)
    expect(live.viewer.get_by_role("alert")).to_be_hidden()


def test_a_panel_scrolled_out_and_back_is_drawn(live: PanelPage) -> None:
    before = live.stage.screenshot()
    live.notebook.resize(1400, 300)
    live.page.mouse.move(700, 150)
    for way in (4000, -8000):
        live.page.mouse.wheel(0, way)
        live.page.wait_for_timeout(300)
    live.notebook.resize(1400)
    live.stage.scroll_into_view_if_needed()
    live.page.mouse.move(5, 5)
    live.page.wait_for_timeout(300)
    assert len(live.stage.screenshot()) > 0.7 * len(before), "blank after scrolling"


def test_runs_with_close_leave_nothing_behind(live: PanelPage) -> None:
    notebook = live.notebook

    def rerun() -> None:
        notebook.run(0)
        live.ready()

    for _ in range(5):  # caches and allocators fill up
        rerun()
    comms, models = notebook.comms(), notebook.models()
    threads = notebook.value("__import__('threading').active_count()")
    memory = notebook.memory()
    for _ in range(20):
        rerun()
    assert notebook.comms() == comms
    assert notebook.models() == models
    assert notebook.value("__import__('threading').active_count()") <= threads
    assert notebook.memory() < 1.05 * memory
    assert notebook.errors() == []


def test_closing_takes_the_panel_off_the_page(live: PanelPage) -> None:
    before = live.notebook.comms()
    live.execute("panel.close()")
    expect(live.viewer).to_have_count(0)
    assert live.notebook.comms() < before
    assert live.value("repr(panel)") == "Panel(closed)"


def test_a_restarted_kernel_is_said_and_looking_goes_on(live: PanelPage) -> None:
    live.notebook.restart_kernel()
    expect(live.viewer).to_contain_text("kernel is gone", timeout=10_000)
    before = live.shown_threshold()
    live.drag_threshold(before, 140)
    assert live.shown_threshold() == 140
    live.mode("Side")
    live.page.wait_for_timeout(300)
    live.notebook.shot("gone", live.root)
    live.notebook.run(0)
    live.ready()
    live.drag_threshold(50, 70)
    live.until("panel.threshold", 70)


def test_a_kernel_that_died_is_said(live: PanelPage) -> None:
    live.page.evaluate(
        """() => { shownNotebook().sessionContext.session.kernel.requestExecute(
             { code: "import os; os._exit(1)" }); }"""
    )
    expect(live.viewer).to_contain_text("kernel is", timeout=20_000)
    live.page.get_by_role("dialog", name="Kernel Restarting").get_by_role("button").click()
    live.mode("Heatmap")
    expect(live.viewer.get_by_role("radio", name="Heatmap")).to_have_attribute(
        "aria-checked", "true"
    )


def test_the_panel_is_shown_where_no_close_was_called(show: Show) -> None:
    panel = show(
        "import vde_nb as vde\n"
        "pair = vde.samples.load('wall')\n"
        "vde.Panel(pair.reference, pair.current)"
    )
    expect(panel.viewer).to_be_visible()
    expect(panel.count).to_contain_text("region", timeout=20_000)
