"""The widget that shows the pictures: a script, a style sheet, and messages both ways."""

from __future__ import annotations

import time
from typing import Any

import anywidget
import traitlets

from vde_nb.panel._messages import Blob
from vde_nb.viewer.bundle import css, esm

__all__ = ["Viewer"]


class Viewer(anywidget.AnyWidget):
    """The picture area.

    It has no synced traits but script and style: all it shows arrives in messages, so nothing of
    it swells a saved notebook. Script and style are given as text, because a widget made of a
    path is watched for changes and never freed. Its `options` are those of any widget.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(self, **options: Any) -> None:
        super().__init__(_esm=esm("widget"), _css=css(), **options)

    def download(self, name: str, data: bytes, mime: str = "application/octet-stream") -> None:
        """Hand a file to the browser, as a download.

        Parameters
        ----------
        name
            Of the file, as it is offered.
        data
            What is in it.
        mime
            Its media type.
        """
        token = f"download-{time.monotonic_ns()}"
        for content, buffers in Blob(
            "download", token, data, {"name": name, "mime": mime}
        ).messages():
            self.send(content, buffers)

    def clipboard(self, text: str) -> None:
        """Put text on the clipboard of whoever looks at the panel."""
        self.send({"kind": "clipboard", "text": text})

    def __repr__(self) -> str:
        return "Viewer()"
