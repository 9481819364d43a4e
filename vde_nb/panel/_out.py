"""What leaves the panel: files, downloads, sessions, and the code for it all."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from vde_nb._text import readable
from vde_nb.errors import ImageError, OutputError, SettingError
from vde_nb.panel._code import code_of
from vde_nb.panel._files import Root
from vde_nb.panel._session import load_session, save_session
from vde_nb.panel._widgets import Part, button, hint, plain, say, tooltip

__all__ = ["Out", "build_out", "packed"]

#: What can be written: what people see, the name that :meth:`Comparison.save` has for it, whether
#: it is chosen at first.
_WHAT = (
    ("results.json", "results", True),
    ("COCO", "coco", False),
    ("CSV", "csv", False),
    ("Annotated PNG", "annotated", True),
    ("Masks", "masks", False),
    ("HTML report", "html", True),
)
_MIME = {".json": "application/json", ".csv": "text/csv", ".png": "image/png", ".html": "text/html"}


class Out(Part):
    """Save, download, sessions and code; made by :func:`build_out`."""

    def __init__(self, panel: Any) -> None:
        super().__init__(panel)
        self.add_class("vde-out")
        self.root = Root(panel.root)
        self.note = hint()
        self.what = {name: self._tick(words, chosen) for words, name, chosen in _WHAT}
        self.folder = self._field("Folder", "results", "Where the files go, below the root")
        self.overwrite = self._tick("Overwrite files that exist", False)
        self.session = self._field("Session", "session.json", "File of the session, below the root")
        self.overwrite_session = self._tick("Overwrite it if it exists", False)
        self.code = widgets.HTML()
        self.code.add_class("vde-code")
        ticks = widgets.HBox(list(self.what.values()))
        ticks.add_class("vde-ticks")
        self.boxes = {
            "save": self._box(
                ticks,
                self.folder,
                self.overwrite,
                self._row(
                    self._button("Save", "Write the files", self.save, "save"),
                    self._button("Download", "The same through the browser", self.download),
                ),
            ),
            "session": self._box(
                self.session,
                self.overwrite_session,
                self._row(
                    self._button("Save session", "Keep sources, settings and edits", self._keep),
                    self._button("Load session", "Bring them back", self._load),
                ),
            ),
            "code": self._box(self.code),
        }
        self.openers = {
            "save": self._opener("save", "Save…", "Write results below the root, or download them"),
            "session": self._opener("session", "Session…", "Save or load the state of the panel"),
            "code": self._opener("code", "Code", "The Python that makes what is shown"),
        }
        self.copy = self._button("Copy code", "Copy that Python", self.copy_code, "copy")
        bar = self._row(*self.openers.values(), self.copy)
        self.body = widgets.VBox()
        self.children = [bar, self.body, self.note]
        for box in self.boxes.values():
            self.keep(box)
        say(self.note, "")
        self.refresh()
        self.watch(["status"], self.refresh)

    def refresh(self) -> None:
        """What needs a comparison waits for one; the code that is shown keeps up."""
        is_ready = self.panel.status == "ready"
        self.copy.disabled = not is_ready
        for one in self.boxes["save"].children[-1].children:
            one.disabled = not is_ready
        if is_ready and self.openers["code"].value:
            self._show_code()

    def chosen(self) -> list[str]:
        """Names of what is ticked, as :meth:`Comparison.save` takes them."""
        names = [name for name, tick in self.what.items() if tick.value]
        if not names:
            raise SettingError("Nothing is ticked: tick what is to be written.")
        return names

    def save(self) -> None:
        """Write what is ticked below the root, and say where it is."""
        folder = self._below(self.folder.value)
        paths = self._finished().save(
            folder, what=self.chosen(), overwrite=bool(self.overwrite.value)
        )
        names = ", ".join(path.name for path in paths.values()) or "nothing: there is no anomaly"
        say(self.note, f"Written into {readable(str(folder))}: {names}.")

    def download(self) -> None:
        """Send what is ticked to the browser: one file as it is, several as a ZIP archive."""
        name, data, mime = packed(self._finished(), self.chosen())
        self.panel.viewer.download(name, data, mime)
        say(self.note, f"Sent {name} to the browser, {len(data) / 1000:,.0f} kB.")

    def copy_code(self) -> None:
        """Put the code on the clipboard, through the browser."""
        self.panel.viewer.clipboard(code_of(self.panel))
        say(self.note, "The code is on the clipboard.")

    def _keep(self) -> None:
        path = self._below(self.session.value)
        if not path.parent.is_dir():
            raise OutputError(f"There is no folder {path.parent}; make it first.")
        save_session(self.panel, path, overwrite=bool(self.overwrite_session.value))
        say(self.note, f"Session written to {readable(str(path))}.")

    def _load(self) -> None:
        load_session(self.panel, self._below(self.session.value))
        say(self.note, f"Session {readable(self.session.value)} loaded.")

    def _show_code(self) -> None:
        self.code.value = f'<pre tabindex="0" aria-label="Code">{plain(code_of(self.panel))}</pre>'

    def _finished(self) -> Any:
        comparison = self.panel.comparison
        if comparison is None:
            raise OutputError("There is no comparison to save yet: choose two pictures first.")
        return comparison

    def _below(self, typed: str) -> Path:
        try:
            path = self.root.path(typed.strip())
        except ImageError as error:
            raise OutputError(str(error).replace("opened", "written or read")) from error
        if not typed.strip():
            raise OutputError("The name is empty: give one below the root.")
        return path

    def _open(self, name: str, is_open: bool) -> None:
        for other, opener in self.openers.items():
            if other != name and is_open:
                with self.setting():
                    opener.value = False
        if is_open and name == "code":
            self._show_code()
        self.body.children = [self.boxes[name]] if is_open else []

    def _tick(self, words: str, chosen: bool) -> widgets.Checkbox:
        made = widgets.Checkbox(description=words, value=chosen, indent=False)
        made.add_class("vde-tick")
        return made

    def _field(self, words: str, value: str, help: str) -> widgets.Text:
        made = widgets.Text(description=words, value=value)
        made.add_class("vde-entry")
        return tooltip(made, help)

    def _button(
        self, words: str, help: str, action: Callable[[], object], icon: str = ""
    ) -> widgets.Button:
        title = f"{words} did not work"
        return button(words, help, self.act(title, action), icon)

    def _opener(self, name: str, words: str, help: str) -> widgets.ToggleButton:
        made = widgets.ToggleButton(description=words, value=False)
        made.add_class("vde-button")
        tooltip(made, help)
        self.on_value(made, f"{words} did not work", lambda value: self._open(name, value))
        return made

    @staticmethod
    def _row(*children: widgets.Widget) -> widgets.HBox:
        made = widgets.HBox(children)
        made.add_class("vde-bar")
        return made

    @staticmethod
    def _box(*children: widgets.Widget) -> widgets.VBox:
        made = widgets.VBox(children)
        made.add_class("vde-box")
        return made


def build_out(panel: Any) -> Out:
    """The row of outputs of a panel: a widget whose ``close()`` frees everything."""
    return Out(panel)


def packed(comparison: Any, what: list[str]) -> tuple[str, bytes, str]:
    """Name, bytes and MIME type of what :meth:`Comparison.save` writes, as one file.

    Several files make a ZIP archive, in which they lie as they would in the folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        comparison.save(folder, what=what)
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        if len(files) == 1 and files[0].suffix in _MIME:
            return files[0].name, files[0].read_bytes(), _MIME[files[0].suffix]
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                # Pictures are compressed as they are.
                how = zipfile.ZIP_STORED if path.suffix == ".png" else zipfile.ZIP_DEFLATED
                archive.write(path, path.relative_to(folder).as_posix(), how)
    return "vde-nb-results.zip", stream.getvalue(), "application/zip"
