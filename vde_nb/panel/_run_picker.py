"""Choosing a finished run below a root."""

from __future__ import annotations

from typing import Any

from vde_nb.panel._browser import Browser
from vde_nb.panel._files import Root, is_run
from vde_nb.panel._widgets import Part, button, hint, say

__all__ = ["Runs"]


class Runs(Part):
    """The folder of a run, to be gone through pair by pair."""

    def __init__(self, panel: Any, root: Root) -> None:
        super().__init__(panel)
        self.root = root
        self.note = hint()
        self.go = button("Open run", "Go through its pairs, worst first", self._open)
        self.go.icon = "folder-open"
        self.browser = Browser(panel, root, None, self._look, "Folder of the run", empty="")
        self.children = [self.browser, self.note, self.go]
        self._look()

    def _look(self) -> None:
        if not hasattr(self, "browser"):
            return  # it lists its first folder while it is made
        here = is_run(self.root.path(self.browser.listing.folder))
        self.go.disabled = not here
        say(self.note, "" if here else "Choose a folder that vde.compare_many has written.")

    def _open(self) -> None:
        def go() -> None:
            self.panel.open_run(self.root.given(self.browser.listing.folder))

        self.act("The run could not be opened", go)()

    def close(self) -> None:
        """Free everything."""
        self.browser.close()
        super().close()
