"""What Colab needs of the panel, with a stand-in for Colab's own module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from anywidget import _util as anywidget_util
from IPython.core.getipython import get_ipython

from tests.panel_tools import FakeViewer, quick_panel
from vde_nb.panel import Panel
from vde_nb.panel._messages import PART

WIDGET = "application/vnd.jupyter.widget-view+json"


class Colab:
    """Its switch for widgets of others, and the hook that it puts in the way of displayed data."""

    def __init__(self) -> None:
        self.enabled = 0
        self.shown: list[dict[str, Any]] = []

    def enable(self) -> None:
        self.enabled += 1

    def display(self, data: dict[str, Any], raw: bool, **_: Any) -> Any:
        """Colab's hook sees what goes through display(), not what a cell's last line returns."""
        self.shown.append({"data": data, "enabled": self.enabled})
        return SimpleNamespace(update=lambda *_, **__: None)


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Colab]:
    made = Colab()
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = made.enable  # type: ignore[attr-defined]
    output._widgets = SimpleNamespace(_installed_url="manager.js")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    monkeypatch.setattr(
        f"{get_ipython.__module__}.get_ipython", lambda: SimpleNamespace(kernel=object())
    )
    monkeypatch.setattr("IPython.display.display", made.display)
    anywidget_util.enable_custom_widget_manager_once.cache_clear()  # once per process
    yield made
    anywidget_util.enable_custom_widget_manager_once.cache_clear()


def test_colab_is_asked_for_its_manager_of_other_widgets_before_the_panel_is_shown(
    colab: Colab,
) -> None:
    panel = quick_panel()
    assert colab.enabled == 0, "a panel that nobody sees changes nothing"
    panel._ipython_display_()
    views = [one for one in colab.shown if WIDGET in one["data"]]
    assert len(views) == 1 and views[0]["enabled"] == 1
    panel._ipython_display_()
    assert colab.enabled == 1
    panel.close()


def test_a_panel_is_displayed_and_not_returned_as_a_result() -> None:
    """Colab's hook, which says where its manager is, sees no results of cells."""
    assert not hasattr(Panel, "_repr_mimebundle_")
    assert callable(Panel._ipython_display_)


def test_no_message_is_larger_than_colab_takes() -> None:
    panel = quick_panel()
    viewer = FakeViewer(panel)
    viewer.say("hello")
    viewer.settle()
    sizes = [sum(len(one) for one in buffers) for _, buffers in viewer.messages]
    assert 0 < max(sizes) <= PART <= 3_000_000
    panel.close()
