"""What all controls of the panel share: owning widgets, freeing them, and telling errors.

Closing an ipywidget closes neither its children nor its layout and style, each of which holds a
connection of its own to the browser; a notebook cell run fifty times would gather hundreds.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import ipywidgets as widgets
import traitlets

from vde_nb._text import escaped

__all__ = ["Part", "button", "heading", "hint", "plain", "say", "text", "tooltip"]

W = TypeVar("W", bound=Any)


def tooltip(widget: W, words: str) -> W:
    """Give `widget` a tooltip, by the name that this version of ipywidgets has for it."""
    if widget.has_trait("tooltip"):
        widget.tooltip = words
    elif widget.has_trait("description_tooltip"):  # ipywidgets 7
        widget.description_tooltip = words
    return widget


def plain(words: object) -> str:
    """`words` as HTML that shows them as they are: no tags, no formulas between dollar signs."""
    return f'<span class="tex2jax_ignore mathjax_ignore">{escaped(words)}</span>'


def text(words: object = "", kind: str = "") -> widgets.HTML:
    """A line of text; `kind` is a class of the style sheet."""
    line = widgets.HTML(plain(words))
    for one in kind.split():
        line.add_class(one)
    return line


def heading(words: str) -> widgets.HTML:
    """A heading."""
    return text(words, "vde-heading")


def hint(words: str = "") -> widgets.HTML:
    """A line that explains, in a quieter colour."""
    return text(words, "vde-hint")


def say(line: widgets.HTML, words: object) -> None:
    """Change a line made by :func:`text`; one that says nothing takes no room."""
    line.value = plain(words)
    line.layout.display = None if words else "none"


def button(words: str, help: str, action: Callable[[], object], icon: str = "") -> widgets.Button:
    """A button that calls `action`."""
    made = widgets.Button(description=words, icon=icon)
    tooltip(made, help)
    made.add_class("vde-button")
    made.on_click(lambda _: action())
    return made


class Part(widgets.VBox):  # type: ignore[misc]
    """A part of the panel's controls: knows the panel, and frees all it made when closed.

    Parameters
    ----------
    panel
        The panel: anything with the traits and methods of :class:`vde_nb.Panel`.
    """

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self._watched: list[tuple[traitlets.HasTraits, Any, Callable[[Any], None]]] = []
        self._kept: list[Any] = []
        self._setter = 0  # the thread that is in `setting`
        self._is_closed = False
        self.add_class("vde-part")

    def keep(self, widget: W) -> W:
        """Free `widget`, which need not be shown, together with this part."""
        self._kept.append(widget)
        return widget

    def act(self, title: str, action: Callable[..., object]) -> Callable[..., None]:
        """`action`, with whatever goes wrong in it shown by the panel under `title`."""

        @functools.wraps(action)
        def guarded(*args: Any) -> None:
            try:
                action(*args)
            except Exception as error:
                self.panel.show_error(title, error)

        return guarded

    def on_value(self, widget: Any, title: str, action: Callable[[Any], object]) -> None:
        """Call ``action(value)`` when a person changed `widget`, not when :meth:`setting` did."""
        guarded = self.act(title, action)

        def changed(change: Any) -> None:
            # Newer kernels hand over what a person did on a thread of its own.
            if self._setter != threading.get_ident():
                guarded(change["new"])

        widget.observe(changed, "value")

    def watch(self, names: Any, action: Callable[[], object]) -> None:
        """Call `action` when a trait of the panel changes, and until this part is closed."""
        guarded = self.act("The controls could not follow", action)

        def changed(_: Any) -> None:
            guarded()

        self.panel.observe(changed, names)
        self._watched.append((self.panel, names, changed))

    @contextmanager
    def setting(self) -> Iterator[None]:
        """While widgets are set to what the panel holds: nobody has changed them."""
        before, self._setter = self._setter, threading.get_ident()
        try:
            yield
        finally:
            self._setter = before

    def close(self) -> None:
        """Stop watching the panel, and free every widget with its layout and style."""
        if self.__dict__.get("_is_closed", True):
            return  # also when ipywidgets closes what was never finished
        self._is_closed = True
        for owner, names, handler in self._watched:
            with suppress(ValueError):
                owner.unobserve(handler, names)
        self._watched.clear()
        for widget in [*self._kept, *self.children]:
            _free(widget)
        self._kept.clear()
        _free_own(self)
        super().close()


def _free(widget: Any) -> None:
    """Close a widget and all below it."""
    for child in getattr(widget, "children", ()):
        _free(child)
    _free_own(widget)
    widget.close()


def _free_own(widget: Any) -> None:
    for name in ("layout", "style"):
        if widget.has_trait(name):
            owned = getattr(widget, name)
            if isinstance(owned, widgets.Widget):
                owned.close()
