"""What stays in a saved notebook, where no kernel runs and no script may: a picture and a table.

It is an output of its own below the panel, in which the viewer, while it lives, hides it.
"""

from __future__ import annotations

from typing import Any

from vde_nb._extras import not_installed
from vde_nb._text import escaped
from vde_nb.comparison import Comparison
from vde_nb.figure import notebook_html

__all__ = ["Fallback", "lacking", "static_html"]

_HINT = "Run this cell to use the panel."


def lacking() -> list[str]:
    """What a kernel has to have for the panel itself, and has not."""
    return not_installed("ipywidgets", "anywidget")


def _hint() -> str:
    names = lacking()
    if not names:
        return _HINT
    return (
        f"The panel itself needs {' and '.join(names)}, which this kernel has not: "
        f"pip install {' '.join(names)}, then restart it."
    )


def static_html(panel_id: str, comparison: Comparison | None, message: str = "") -> str:
    """The static picture of a panel.

    Parameters
    ----------
    panel_id
        The panel's name, part of the class by which the viewer finds this.
    comparison
        What is shown; None: nothing yet.
    message
        Why there is nothing, in words.
    """
    shown = notebook_html(comparison) if comparison is not None else ""
    if comparison is None and message:
        shown = f'<p style="margin:0">{escaped(message)}</p>'
    return (
        f'<div class="vde-static vde-static-{panel_id}">{shown}'
        f'<p style="margin:6px 0 0 0"><small>{_hint()}</small></p></div>'
    )


class Fallback:
    """The static output of one panel, wherever it was displayed.

    Parameters
    ----------
    panel_id
        The panel's name.
    """

    def __init__(self, panel_id: str) -> None:
        self.panel_id = panel_id
        self._handles: list[Any] = []
        self._shown = ""

    @property
    def is_shown(self) -> bool:
        """Whether there is an output to keep up to date."""
        return bool(self._handles)

    def display(self, html: str, text: str) -> None:
        """Add a static output here."""
        from IPython.display import display

        self._shown = html
        handle = display(  # type: ignore[no-untyped-call]
            {"text/plain": text, "text/html": html},
            raw=True,
            display_id=f"{self.panel_id}-{len(self._handles)}",
        )
        self._handles.append(handle)

    def update(self, html: str, text: str) -> None:
        """Bring all static outputs up to date; nothing is sent when nothing changed."""
        if html == self._shown:
            return
        self._shown = html
        for handle in self._handles:
            handle.update({"text/plain": text, "text/html": html}, raw=True)

    def close(self) -> None:
        """Leave the outputs as they are."""
        self._handles.clear()
