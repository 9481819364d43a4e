"""Walking through the folders below a root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from vde_nb.panel._files import MOST, Listing, Root
from vde_nb.panel._widgets import Part, hint, say, tooltip

__all__ = ["NONE", "Browser"]

#: What a list says where nothing is chosen.
NONE = "—"


class Browser(Part):
    """Walks through the folders below a root; calls `picked` with the path of a chosen picture.

    Without `picked` it only walks: its folder is the choice.
    """

    def __init__(
        self,
        panel: Any,
        root: Root,
        picked: Callable[[str], object] | None,
        moved: Callable[[], object] | None = None,
        words: str = "Folder",
        empty: str = "No pictures in this folder.",
    ) -> None:
        super().__init__(panel)
        self.empty = empty
        self.root, self.picked, self.moved = root, picked, moved
        self.listing = Listing("", (), ())
        self.folder = widgets.Dropdown(description=words)
        self.files = self.keep(widgets.Select(description="Picture", rows=6))
        self.note = hint()
        tooltip(self.folder, "The folder that is listed, those in it, and the way back up")
        for one in (self.folder, self.files):
            one.add_class("vde-entry")
        self.on_value(self.folder, "The folder could not be opened", self.go)
        self.on_value(self.files, "The picture could not be opened", self._pick)
        self.children = [self.folder, *([self.files] if picked else []), self.note]
        self.act("The files could not be listed", self.go)("")

    def go(self, folder: str) -> None:
        """List `folder`, a path relative to the root; where that fails the old list stays."""
        try:
            self.listing = self.root.list(folder)
        finally:
            self._show()
        if self.moved is not None:
            self.moved()

    def choose(self, path: str) -> None:
        """Show `path`, relative to the root, as the chosen picture."""
        folder, _, name = path.rpartition("/")
        if folder != self.listing.folder:
            self.go(folder)
        if name in self.listing.files:
            with self.setting():
                self.files.value = path

    def _show(self) -> None:
        here, inside = self.listing.folder, self.listing
        above = here.rpartition("/")[0]
        options = [(f"{here}/" if here else f"{self.root.folder}/", here)]
        options += [("↑ up", above)] if here else []
        options += [(f"▸ {name}", f"{here}/{name}" if here else name) for name in inside.folders]
        with self.setting():
            self.folder.options = [(_line(words), path) for words, path in options]
            self.folder.value = here
            self.files.options = [(NONE, "")] + [
                (_line(name), f"{here}/{name}" if here else name) for name in inside.files
            ]
            self.files.value = ""
        self.files.layout.display = None if inside.files else "none"
        words = "" if inside.files else self.empty
        if inside.cut:
            words = f"This folder holds more than {MOST} entries; the rest is not listed."
        say(self.note, words)

    def _pick(self, path: str) -> None:
        if path and self.picked is not None:
            self.picked(path)


def _line(words: str) -> str:
    """A file name as one line of a list: names may hold line breaks and broken Unicode."""
    readable = words.encode("utf-8", "replace").decode()
    return "".join(one if one.isprintable() else "␤" for one in readable)
