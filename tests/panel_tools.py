"""A panel with a viewer that only exists as a list of the messages it was sent."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
from ipywidgets.widgets import widget

from vde_nb import samples
from vde_nb.panel import Panel

QUICK: dict[str, Any] = {"method": "hybrid", "segmenter": "none"}


class FakeViewer:
    """Keeps what it is sent, and says what a viewer says."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.messages: list[tuple[dict[str, Any], list[Any]]] = []
        panel._link.connect(self.send)

    def send(self, content: dict[str, Any], buffers: list[Any] | None = None) -> None:
        self.messages.append((content, list(buffers or [])))

    def say(self, kind: str, *buffers: bytes, **content: Any) -> None:
        views = [memoryview(one) for one in buffers]
        self.panel._incoming.received({"kind": kind, **content}, views)

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [content for content, _ in self.messages if content["kind"] == kind]

    def last(self, kind: str) -> dict[str, Any]:
        return self.all(kind)[-1]

    def state(self, key: str) -> Any:
        """The last value that was sent of a part of the state."""
        sent = [one["patch"][key] for one in self.all("state") if key in one["patch"]]
        return sent[-1] if sent else None

    def blobs(self, key: str) -> list[tuple[str, bytes]]:
        """Tokens and bytes of all complete blobs of a key."""
        found: list[tuple[str, bytes]] = []
        parts: list[bytes] = []
        for content, buffers in self.messages:
            if content["kind"] == "blob" and content["key"] == key:
                parts.append(bytes(buffers[0]))
                if content["part"] == content["parts"] - 1:
                    found.append((content["token"], b"".join(parts)))
                    parts = []
        return found

    def until(self, done: Callable[[], object], seconds: float = 10.0) -> None:
        """Let the panel work until `done()`."""
        assert self.panel._dispatcher.pump(lambda: bool(done()), seconds), "nothing came"

    def settle(self) -> None:
        """Let the panel work until the viewer shows what the panel holds."""
        self.panel.wait(20)
        shown = self.panel._shown
        if shown is not None:
            self.until(lambda: self.all("result") and self.panel._link._result is not None)
            self.until(lambda: self.all("counts"))


def quick_panel(**options: Any) -> Panel:
    """A panel on the wall, with the quickest settings."""
    pair = samples.load("wall")
    return Panel(pair.reference, pair.current, **{**QUICK, **options})


def unpacked(data: bytes, shape: tuple[int, int]) -> np.ndarray[Any, Any]:
    """The map in a blob."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(shape)


def widgets_alive() -> frozenset[str]:
    """The models of all widgets that are not closed."""
    # ipywidgets 8 keeps them in its module; 7 in its class, which 8 warns about.
    known = getattr(widget, "_instances", None)
    return frozenset(ipywidgets.Widget.widgets if known is None else known)
