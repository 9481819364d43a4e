"""The panel's widgets: controls around the viewer, made when the panel is shown first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from vde_nb.panel._controls import build_controls
from vde_nb.panel._out import build_out
from vde_nb.panel._sources import build_sources
from vde_nb.panel.viewer import Viewer

__all__ = ["Layout"]

#: Width of the controls; in a narrow cell they stand above the pictures.
_CONTROLS = "290px"


class Layout:
    """All widgets of one panel.

    Parameters
    ----------
    panel
        The panel.
    received
        Called with ``(content, buffers)`` of each message from the viewer.
    """

    def __init__(self, panel: Any, received: Callable[[Any, Any], None]) -> None:
        self.viewer = Viewer()
        # Nearly all room goes to the pictures; a row of its own is filled by the controls.
        self.viewer.layout.flex = "999 1 520px"
        self.viewer.layout.min_width = "0"
        self.viewer.on_msg(lambda _, content, buffers: received(content, buffers))
        self._panel = panel
        self.sources: Any = None
        self.controls = build_controls(panel)
        self.controls.layout.flex = f"1 1 {_CONTROLS}"
        self.out = build_out(panel)
        self._fold = widgets.Accordion(children=[widgets.VBox()], selected_index=None)
        self._fold.set_title(0, "Pictures")
        self._fold.observe(lambda _: panel.on_main(self._unfold), "selected_index")
        middle = widgets.HBox([self.controls, self.viewer])
        middle.layout.flex_flow = "row wrap"
        middle.add_class("vde-middle")
        self.root = widgets.VBox([self._fold, middle, self.out])
        self.root.add_class("vde-panel")
        self._boxes = [self._fold.children[0], self._fold, middle, self.root]
        if not panel.is_whole:
            self._fold.selected_index = 0

    def _unfold(self) -> None:
        """Make the pickers when they are looked at first: they are a hundred widgets or more."""
        if self.sources is None and self._fold.selected_index is not None:
            self.sources = build_sources(self._panel, self._panel.root)
            self._fold.children = [self.sources]

    @property
    def model_id(self) -> str:
        """The front end's name of the outermost widget."""
        return str(self.root.model_id)

    def close(self) -> None:
        """Free every widget, with layouts and styles, which have connections of their own."""
        for part in (self.sources, self.controls, self.out):
            if part is not None:
                part.close()
        for widget in (*self._boxes, self.viewer):
            for name in ("layout", "style"):
                owned = getattr(widget, name, None)
                if isinstance(owned, widgets.Widget):
                    owned.close()
            widget.close()
