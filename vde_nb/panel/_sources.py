"""Where the two pictures come from: samples, files, the notebook, uploads, folders of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import cv2
import ipywidgets as widgets
import numpy as np
import traitlets
from numpy.typing import NDArray

from vde_nb._png import png
from vde_nb.images import load
from vde_nb.panel._browser import NONE, Browser
from vde_nb.panel._files import Root, paired
from vde_nb.panel._origin import Sample, Upload, Variable, as_sample, is_path, name_of, variables
from vde_nb.panel._run_picker import Runs
from vde_nb.panel._uploads import Uploads
from vde_nb.panel._widgets import Part, button, hint, say, text

__all__ = ["Sources", "build_sources"]

_SIDES = ("reference", "current")
#: Longest side of a thumbnail, in pixels: twice what it is shown at, for fine screens.
_THUMB = 160
_SAMPLES, _FILES, _NOTEBOOK, _UPLOAD = "Samples", "Files", "From the notebook", "Upload"


class UploadEntry(anywidget.AnyWidget):
    """The button that lets a person choose a file of theirs, and sends it in parts.

    Attributes
    ----------
    side
        ``"reference"`` or ``"current"``.
    label
        What the button says.
    """

    # Declared, because anywidget makes no trait of a style sheet that is an argument. Text, because
    # a path would keep the widget alive after it was closed.
    _esm = traitlets.Unicode("").tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)
    side = traitlets.Unicode("reference").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)

    def __init__(self, side: str, done: Callable[[Upload], object]) -> None:
        from vde_nb.viewer import bundle

        self._uploads = Uploads()
        self._done = done
        super().__init__(
            _esm=bundle.esm("upload_entry"),
            _css=bundle.css(),
            side=side,
            label=f"Choose a file for the {side} picture…",
        )
        self.on_msg(self._receive)

    def _receive(self, _: object, content: Any, buffers: list[Any]) -> None:
        """Gather the parts of a file."""
        if not isinstance(content, dict):
            return
        kind, key = content.get("kind"), str(content.get("id", ""))[:100]
        if kind == "ping":
            self.send({"kind": "pong", "id": key})
        if kind == "upload_cancel":
            self._uploads.drop(key)
        if kind != "upload":
            return
        try:
            whole = self._uploads.take(content, bytes(buffers[0]) if buffers else b"")
            if whole is not None:
                self._done(whole[1])
                self._answer(key, True, "")
        except Exception as error:  # the person is told where the file was chosen
            self._answer(key, False, str(error))

    def _answer(self, key: str, is_well: bool, message: str) -> None:
        self.send({"kind": "uploaded", "id": key, "ok": is_well, "message": message})

    def close(self) -> None:
        """Free everything, also files that are under way."""
        self._uploads.clear()
        super().close()


class Side(Part):
    """One picture: what it is, and where another one may be taken from."""

    def __init__(
        self, panel: Any, root: Root, side: str, choose: Callable[[str, Any], object]
    ) -> None:
        super().__init__(panel)
        self.add_class("vde-side")
        self.root, self.side, self._choose = root, side, choose
        title = text(side.capitalize(), "vde-heading")
        self.thumb = widgets.Image(format="png", value=_blank())
        self.thumb.add_class("vde-thumb")
        if self.thumb.has_trait("alt"):
            self.thumb.alt = f"{side} picture"
        self.name, self.size = text(NONE, "vde-name"), hint()
        self.kind = widgets.Dropdown(
            description="From", options=[NONE, _SAMPLES, _FILES, _NOTEBOOK, _UPLOAD], value=NONE
        )
        self.kind.add_class("vde-entry")
        self.body = widgets.VBox()
        self.pickers: dict[str, Any] = {}
        about = widgets.VBox([title, self.name, self.size])
        about.add_class("vde-about")
        head = widgets.HBox([self.thumb, about])
        head.add_class("vde-side-head")
        self.children = [head, self.kind, self.body]
        self.on_value(self.kind, "The list could not be made", self._open)

    def show(self, source: Any, name: str, array: NDArray[np.uint8] | None) -> None:
        """Say what the picture is; `array` is None where it has not been read yet."""
        say(self.name, name or NONE)
        if array is None:
            say(self.size, "" if source is None else "not read yet")
            self.thumb.value = _blank()
            return
        height, width = array.shape[:2]
        say(self.size, f"{width} × {height} px")
        self.thumb.value = thumbnail(array)

    def _open(self, kind: str) -> None:
        """Show the list of a kind; it is made when it is first asked for."""
        if kind == NONE:
            self.body.children = []
            return
        if kind not in self.pickers:
            self.pickers[kind] = self.keep(self._made(kind))
        elif kind == _NOTEBOOK:
            self._list_variables()
        elif kind == _FILES:
            self.pickers[kind].go(self.pickers[kind].listing.folder)
        self.body.children = [self.pickers[kind]]

    def _made(self, kind: str) -> Any:
        title = f"The {self.side} picture could not be opened"
        if kind == _FILES:
            return Browser(
                self.panel, self.root, lambda path: self._choose(self.side, self.root.given(path))
            )
        if kind == _UPLOAD:
            return UploadEntry(self.side, lambda upload: self._choose(self.side, upload))
        if kind == _SAMPLES:
            from vde_nb import samples

            names = [(NONE, "")] + [(name, name) for name in samples.list()]
            made = widgets.Dropdown(description="Sample", options=names, value="")
            act: Callable[[Any], object] = lambda name: Sample(name, self.side)  # noqa: E731
        else:
            made = widgets.Dropdown(description="Variable", options=[(NONE, None)])
            self.pickers[kind] = made
            self._list_variables()
            act = _copied
        made.add_class("vde-entry")
        self.on_value(
            made, title, lambda value: self._choose(self.side, act(value)) if value else None
        )
        return made

    def _list_variables(self) -> None:
        made, found = self.pickers[_NOTEBOOK], variables(_namespace())
        options = [
            (f"{one.name}, {one.array.shape[1]} × {one.array.shape[0]}", one) for one in found
        ]
        with self.setting():
            made.options = [(NONE if found else "no arrays that are pictures", None), *options]
            made.value = None


class Sources(Part):
    """Both pickers, the swap button and the folder of pairs; made by :func:`build_sources`."""

    def __init__(self, panel: Any, root: Any) -> None:
        super().__init__(panel)
        self.add_class("vde-sources")
        self.root = root if isinstance(root, Root) else Root(root)
        self._shown: Any = None  # what the thumbnails are of
        self.sides = {name: Side(panel, self.root, name, self.choose) for name in _SIDES}
        self.swap = button(
            "Swap", "Take the current picture for the reference, and the other way", self._swap
        )
        self.swap.icon = "exchange"
        self.note = hint()
        row = widgets.HBox([self.sides["reference"], self.sides["current"]])
        row.add_class("vde-side-by-side")
        self.pairs = Pairs(panel, self.root)
        self.runs = Runs(panel, self.root)
        self.fold = widgets.Accordion(children=[self.pairs, self.runs], selected_index=None)
        self.fold.set_title(0, "Folder of pairs")
        self.fold.set_title(1, "Finished run")
        foot = widgets.HBox([self.note, self.swap])
        foot.add_class("vde-foot")
        self.children = [row, foot, self.fold]
        self.refresh()
        self.watch(["status", "index"], self.refresh)

    def choose(self, side: str, source: Any) -> None:
        """Take `source` for one side; the panel is handed both when there are both.

        Where a sample is chosen while the other side is empty, it brings its partner along.
        """
        other = _SIDES[1 - _SIDES.index(side)]
        rest = self.panel.sources[_SIDES.index(other)]
        if self.panel.status == "empty" and rest is None:
            if isinstance(source, Sample):
                partner = Sample(source.name, other)
                self.panel.open(*((source, partner) if side == _SIDES[0] else (partner, source)))
                return
            # Alone it is not compared, and so would not be read before the other is chosen.
            picture = load(source, name=name_of(source, side))
            self.panel.open_side(side, source, name_of(source, side))
            self.sides[side].show(source, name_of(source, side), picture.array)
            say(self.note, f"Now choose the {other} picture.")
            return
        say(self.note, "")
        self.panel.open_side(side, source, name_of(source, side))

    def refresh(self) -> None:
        """Show what the panel holds; after a failure that is the old pair again."""
        status = self.panel.status
        # The pictures of a run stay as they were compared.
        self.swap.disabled = status == "empty" or getattr(self.panel, "run", None) is not None
        if status in ("empty", "running"):
            return  # nothing yet; what is there stays
        comparison = self.panel.comparison if status == "ready" else self._shown
        self._shown = comparison
        for at, side in enumerate(_SIDES):
            source = self.panel.sources[at]
            array = None
            if comparison is not None:
                array = getattr(comparison.pair, side).array
            name = "" if source is None else self._said(source, at)
            self.sides[side].show(source, name, array)
        say(self.note, "")

    def _said(self, source: Any, at: int) -> str:
        """What to call a source: a path as given, or what the panel was told."""
        sample = as_sample(source)
        if sample is not None:
            return name_of(sample, "")
        if is_path(source):
            return name_of(source, "")
        return name_of(source, self.panel.names[at] or _SIDES[at])

    def _swap(self) -> None:
        self.act("The pictures could not be swapped", self.panel.swap)()

    def close(self) -> None:
        """Free everything."""
        for part in (*self.sides.values(), self.pairs, self.runs):
            part.close()
        super().close()


class Pairs(Part):
    """Two folders whose pictures belong together by their names."""

    def __init__(self, panel: Any, root: Root) -> None:
        super().__init__(panel)
        self.root = root
        self.found: list[tuple[str, str]] = []
        self.note = hint()
        self.go = button("Open pairs", "Open all pairs, to go through one by one", self._open)
        self.go.icon = "folder-open"
        self.browsers = [
            Browser(panel, root, None, self._match, f"{side.capitalize()} folder")
            for side in _SIDES
        ]
        self.children = [*self.browsers, self.note, self.go]
        self._match()

    def _match(self) -> None:
        if len(getattr(self, "browsers", ())) < 2:
            return
        one, two = (browser.listing for browser in self.browsers)
        self.found, alone = ([], []) if one.folder == two.folder else paired(one, two)
        count = len(self.found)
        words = f"{count} {'pair' if count == 1 else 'pairs'} of one name"
        words += f"; {len(alone)} without a partner" if alone and count else ""
        if not count:
            words = "Choose two folders that hold pictures of the same names."
        say(self.note, words)
        self.go.disabled = not count

    def _open(self) -> None:
        one, two = (browser.listing.folder for browser in self.browsers)

        def path(folder: str, name: str) -> str:
            return self.root.given(f"{folder}/{name}" if folder else name)

        def go() -> None:
            self.panel.open_pairs([(path(one, a), path(two, b)) for a, b in self.found])

        self.act("The pairs could not be opened", go)()

    def close(self) -> None:
        """Free everything."""
        for browser in self.browsers:
            browser.close()
        super().close()


def build_sources(panel: Any, root: Any = ".") -> Sources:
    """The pickers of a panel, for files below `root`: a widget whose ``close()`` frees all."""
    return Sources(panel, root)


def _copied(variable: Variable) -> Variable:
    """The variable as it is now: the notebook may write into it later."""
    array = np.array(variable.array)
    array.flags.writeable = False
    return Variable(variable.name, array)


def thumbnail(array: NDArray[np.uint8]) -> bytes:
    """PNG of a picture of at most 160 pixels a side, averaged, never enlarged."""
    height, width = array.shape[:2]
    factor = min(1.0, _THUMB / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(array, size, interpolation=cv2.INTER_AREA)
    return png(np.ascontiguousarray(small, np.uint8))


def _blank() -> bytes:
    return png(np.full((3, 4), 128, np.uint8))


def _namespace() -> dict[str, Any]:
    """The variables of the notebook; none outside of IPython."""
    try:
        from IPython import get_ipython
    except ImportError:
        return {}
    shell = get_ipython()
    return {} if shell is None else dict(shell.user_ns)
