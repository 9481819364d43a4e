"""A panel without kernel, threads or browser: what its controls see of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets

from vde_nb import compare
from vde_nb.images import load_pair
from vde_nb.panel._choice import Choice
from vde_nb.panel._view import default_view


class Viewer:
    """Keeps what it was asked to hand to the browser."""

    def __init__(self) -> None:
        self.downloads: list[tuple[str, bytes, str]] = []
        self.copied: list[str] = []

    def download(self, name: str, data: bytes, mime: str) -> None:
        self.downloads.append((name, data, mime))

    def clipboard(self, text: str) -> None:
        self.copied.append(text)


class StandIn(traitlets.HasTraits):
    """The traits and methods that controls may use; compares at once, when it is looked at."""

    method = traitlets.Unicode("robust")
    preset = traitlets.Unicode("default")
    segmenter = traitlets.Unicode("graphcut")
    threshold = traitlets.Int(50)
    settings = traitlets.Dict()
    view = traitlets.Dict()
    prompts = traitlets.List()
    ignore = traitlets.List()
    nudge = traitlets.Any((0.0, 0.0))
    reviews = traitlets.List()
    status = traitlets.Unicode("empty")
    index = traitlets.Int(0)

    def __init__(self, root: Any = ".", **given: Any) -> None:
        super().__init__(**{"view": default_view(), **given})
        self.root = root
        self.sources: tuple[Any, Any] = (None, None)
        self.names = ("reference", "current")
        self.pairs: tuple[Any, ...] = ()
        self.viewer = Viewer()
        self.errors: list[tuple[str, Exception]] = []
        self.calls: list[Any] = []
        self._found: Any = None

    def on_main(self, action: Callable[[], object]) -> None:
        action()

    def show_error(self, title: str, error: Exception) -> None:
        self.errors.append((title, error))

    def open_side(self, side: str, source: Any, name: str | None = None) -> None:
        both, names = list(self.sources), list(self.names)
        both[side == "current"], names[side == "current"] = source, name
        if None in both:
            self.sources, self.names = tuple(both), tuple(names)
        else:
            self.open(*both, names=tuple(names))

    def open(self, reference: Any, current: Any = None, names: Any = None) -> None:
        self.calls.append(("open", reference, current))
        try:
            load_pair(reference, current)
        except Exception as error:
            self.show_error("The pictures could not be opened", error)
            self.status = "running"
            self.status = "error"
            return
        self.sources = (reference, current)
        self.names = names or ("reference", "current")
        self.pairs = ((reference, current),)
        self.status = "running"
        self._found = None
        self.status = "ready"

    def open_pairs(self, pairs: Any) -> None:
        self.calls.append(("open_pairs", list(pairs)))
        self.open(*pairs[0])
        self.pairs = tuple(pairs)

    def swap(self) -> None:
        self.open(*reversed(self.sources), names=tuple(reversed(self.names)))

    def change(self, **settings: Any) -> None:
        self.calls.append(("change", settings))
        self._follow(self._choice.changed(settings))

    def reset(self, *names: str) -> None:
        self.calls.append(("reset", names))
        self._follow(self._choice.without(names))

    @property
    def _choice(self) -> Choice:
        return Choice(self.method, self.preset, dict(self.settings))

    def _follow(self, choice: Choice) -> None:
        self.method, self.preset, self.settings = choice.method, choice.preset, choice.used()
        self.segmenter = choice.settings.segment.segmenter

    def edits_of(self, index: int) -> dict[str, Any]:
        if index != self.index:
            return {"prompts": [], "ignore": [], "nudge": (0.0, 0.0), "reviews": []}
        return {name: getattr(self, name) for name in ("prompts", "ignore", "nudge", "reviews")}

    def restore_state(self, pairs: Any, edits: Any, **state: Any) -> None:
        self.calls.append(("restore_state", state))
        if len(pairs) == 1:
            self.open(*pairs[0])
        elif pairs:
            self.open_pairs(pairs)
        for name, value in {**state, **(edits[state["index"]] if edits else {})}.items():
            setattr(self, name, tuple(value) if name == "nudge" else value)

    @property
    def comparison(self) -> Any:
        if self._found is None and self.sources[0] is not None:
            given = {"segmenter": self.segmenter, **self.settings}
            given["segmenter"] = self.segmenter
            if "thresholds" not in given and self.method in ("robust", "hybrid"):
                given.setdefault("threshold", self.threshold)
            if tuple(self.nudge) != (0.0, 0.0):
                given["nudge"] = tuple(self.nudge)
            self._found = compare(
                *self.sources,
                method=self.method,
                preset=self.preset,
                ignore=self.ignore or None,
                prompts=self.prompts,
                reviews=self.reviews,
                **given,
            )
        return self._found


def picture(height: int = 60, width: int = 80, value: int = 90) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)
