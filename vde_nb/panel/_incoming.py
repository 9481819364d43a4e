"""What the viewer asks for, turned into calls of the panel's methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vde_nb.panel import _messages as messages
from vde_nb.panel._link import Link
from vde_nb.panel._uploads import Uploads

__all__ = ["Incoming"]


class Incoming:
    """Checks messages and calls the panel.

    Parameters
    ----------
    panel
        The panel.
    link
        Answers questions about pixels, on whatever thread they come.
    """

    def __init__(self, panel: Any, link: Link) -> None:
        self._panel, self._link = panel, link
        self.uploads = Uploads()
        self._actions: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "hello": lambda _: panel._hello(),
            "threshold": self._threshold,
            "view": lambda content: panel._take_view(content.get("view")),
            "select": self._select,
            "edits": self._edits,
            "undo": lambda _: panel.undo(),
            "redo": lambda _: panel.redo(),
            "nudge": self._nudge,
            "auto_align": lambda _: panel.auto_align(),
            "refine": lambda content: panel._refine(messages.whole(content, "number", 1)),
            "review": self._review,
            "cancel": lambda _: panel.cancel(),
            "compare_all": lambda content: panel.compare_all(messages.flag(content, "on")),
            "goto": lambda content: panel._goto(messages.whole(content, "index", 0)),
            "pair_review": self._pair_review,
            "export_reviews": lambda content: panel.export_reviews(
                messages.text(content, "form", 10)
            ),
            "thumbs": self._thumbs,
            "explain": lambda content: panel.explain(messages.flag(content, "on")),
            "upload_cancel": lambda content: self.uploads.drop(messages.text(content, "id", 100)),
            "error": self._error,
            "dismiss": lambda _: panel._dismiss(),
        }

    def received(self, content: Any, buffers: Any) -> None:
        """Take a message, on any thread."""
        if not isinstance(content, Mapping):
            return
        kind = content.get("kind")
        panel = self._panel
        if kind == "ping":
            # Not from here: an answer tells that the panel's own thread is free.
            answer = {"kind": "pong", "id": content.get("id")}
            panel._here("answering the viewer", lambda: self._link.send(answer))
        elif kind == "pixel":
            panel._guarded("answering the viewer", lambda: self._link.pixel(content))
        elif kind == "tile":
            panel._guarded("answering the viewer", lambda: self._link.tile(content))
        elif kind == "upload":
            data = b"".join(bytes(one) for one in buffers or ())
            panel._here("taking a file", lambda: self._upload(content, data))
        elif isinstance(kind, str) and kind in self._actions:
            action = self._actions[kind]
            panel._here("following the viewer", lambda: action(content))

    def _threshold(self, content: Mapping[str, Any]) -> None:
        value = messages.whole(content, "value", 0, 255)
        self._link.seq = max(self._link.seq, messages.whole(content, "seq", 0))
        self._panel._take_threshold(value)

    def _select(self, content: Mapping[str, Any]) -> None:
        number = messages.whole(content, "number", 0)
        if "seq" in content:
            self._link.selects = max(self._link.selects, messages.whole(content, "seq", 0))
        self._panel._take_selected(number)

    def _edits(self, content: Mapping[str, Any]) -> None:
        self._panel._edits_seen = messages.whole(content, "seq", 0)
        given = {name: content[name] for name in ("prompts", "ignore") if name in content}
        self._panel._take_edits(given)

    def _nudge(self, content: Mapping[str, Any]) -> None:
        dx, dy = messages.number(content, "dx"), messages.number(content, "dy")
        x, y = self._panel.nudge
        self._panel._take_edits({"nudge": (x + dx, y + dy)})

    def _review(self, content: Mapping[str, Any]) -> None:
        number = messages.whole(content, "number", 1)
        pair = self._panel._pair
        token = content.get("token")
        if token is not None and (pair is None or token != pair.token):
            # Somebody was quicker than the pictures: numbers of another pair mean nothing here.
            self._panel.announce("Another pair is shown by now; nothing was reviewed.")
            return
        given = {name: content[name] for name in ("verdict", "type", "comment") if name in content}
        self._panel._review(number, given)

    def _pair_review(self, content: Mapping[str, Any]) -> None:
        given: dict[str, Any] = {}
        if "marked" in content:
            given["marked"] = messages.flag(content, "marked")
        if "comment" in content:
            given["comment"] = messages.text(content, "comment")
        gallery = self._panel._gallery
        if gallery is None or content.get("run") != gallery.token:
            # Places of another run mean nothing here, and what is said is on the disk at once.
            self._panel.announce("Another run is shown by now; nothing was reviewed.")
            return
        self._panel._say(messages.whole(content, "index", 0), given)

    def _thumbs(self, content: Mapping[str, Any]) -> None:
        given = content.get("indices")
        places = given[:500] if isinstance(given, list) else []
        self._panel._want_thumbs([messages.whole({"at": one}, "at", 0) for one in places])

    def _error(self, content: Mapping[str, Any]) -> None:
        self._panel._viewer_failed(
            messages.text(content, "message", 2000), messages.text(content, "details", 8000)
        )

    def _upload(self, content: Mapping[str, Any], data: bytes) -> None:
        key = content.get("id")
        try:
            whole = self.uploads.take(content, data)
            if whole is not None:
                side, file = whole
                self._panel.open_side(side, file, upload=key)
        except Exception as error:
            self._link.send({"kind": "uploaded", "id": key, "ok": False, "message": str(error)})
            raise
