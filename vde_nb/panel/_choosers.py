"""Lists to choose from where a setting names something: features, models of normality.

What is listed changes while the panel is open: weights are downloaded, models fitted or saved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from vde_nb._text import readable
from vde_nb.errors import ImageError
from vde_nb.normality._file import ENDING as MODELS
from vde_nb.panel._entries import Entry, label
from vde_nb.panel._files import MOST, Root
from vde_nb.panel._widgets import hint, say, tooltip
from vde_nb.settings import Declaration

__all__ = ["MODELS", "SEPARATOR", "chooser", "entry_lines", "saved_models"]

Lines = list[tuple[str, str]]

#: Between a title and what is to be done before it is ready.
SEPARATOR = " \u00b7 "
#: Folders below the root that are looked into.
_DEPTH = 3
_NO_MODEL = (
    "There is none yet: model = vde.Normality.fit(normal_pictures) makes one in the notebook, and "
    f'model.save("scene{MODELS}") below the root keeps it. Then look again with \u27f3.'
)
_CHOOSE = "Choose the model that knows what is normal here."


def entry_lines(rows: Iterable[Mapping[str, Any]]) -> Lines:
    """What each line of a list says, and the name behind it.

    Parameters
    ----------
    rows
        With ``name``, ``title`` and ``how``: what to do before it is ready, empty when it is.

    Examples
    --------
    >>> entry_lines([{"name": "a", "title": "A", "how": "download 9 MB: 2 minutes"}])
    [('A \u00b7 download 9 MB', 'a')]
    """
    lines = []
    for row in rows:
        how = str(row["how"]).partition(":")[0]
        lines.append((str(row["title"]) + (SEPARATOR + how if how else ""), str(row["name"])))
    return lines


def chooser(declared: Declaration, panel: Any) -> Entry | None:
    """A list for a setting that names something; None for all other settings."""
    if declared.name == "features":
        return _listing(declared, _feature_lines, _about_features)
    if declared.name == "model":
        models = _Models(panel)
        return _listing(declared, models.lines, models.about, look=models.look)
    return None


def _listing(
    declared: Declaration,
    lines: Callable[[], Lines],
    about: Callable[[str], str],
    look: Callable[[], None] | None = None,
) -> Entry:
    made = widgets.Dropdown(description=label(declared), options=lines())
    made.add_class("vde-entry")
    tooltip(made, f"{declared.help} ({declared.name})")
    line = hint()
    row: list[Any] = [made]
    again = None
    if look is not None:
        again = widgets.Button(icon="refresh", description="")
        again.add_class("vde-reset")
        tooltip(again, "Look for models again")
        row.append(again)
    top = widgets.HBox(row)
    top.add_class("vde-row")
    box = widgets.VBox([top, line])
    box.add_class("vde-entry-box")

    def show(value: str) -> str:
        """Bring the list up to date; it holds `value` in any case."""
        options = lines()
        if value not in [name for _, name in options]:
            options.append((_short(value), value))
        if list(made.options) != options:
            made.options = options
        say(line, about(value))
        return value

    found = Entry(declared, made, box, declared.check, show)
    found.follow = show
    if again is not None and look is not None:
        found.again, found.look = again, look
    return found


def _feature_lines() -> Lines:
    from vde_nb.features import feature_entries

    return entry_lines(
        {"name": one.name, "title": one.title, "how": one.how} for one in feature_entries().values()
    )


def _about_features(name: str) -> str:
    from vde_nb.features import describe_features

    return describe_features(name)[1]


class _Models:
    """Models of normality: those of this session, and the files below the root."""

    def __init__(self, panel: Any) -> None:
        self._root = Root(panel.root)
        self._saved: list[str] = []
        self.look()

    def look(self) -> None:
        """Look for files."""
        self._saved = saved_models(self._root)

    def lines(self) -> Lines:
        """The list: models of the session, the newest first, then files."""
        from vde_nb.normality import known_models

        known = [(f"{name} (this session)", name) for name in reversed(known_models())]
        saved = [(readable(one), self._root.given(one)) for one in self._saved]
        first = ("choose one" if known or saved else "none yet", "")
        return [first, *known, *saved]

    def about(self, name: str) -> str:
        """What there is to say about a model, without reading a file for it."""
        from vde_nb.normality import find_model, known_models

        if not name:
            return _CHOOSE if len(self.lines()) > 1 else _NO_MODEL
        if name in known_models():
            return find_model(name).describe()
        try:
            size = Path(name).expanduser().stat().st_size
        except (OSError, ValueError, RuntimeError):
            return "There is no such model any more: fit or load it again, or choose another."
        return f"A saved model, {size / 1e6:,.1f} MB."


def saved_models(root: Root) -> list[str]:
    """Paths of saved models, relative to the root, in alphabetical order."""
    top = root.path("")
    found = []
    for path in _walked(top):
        relative = path.relative_to(top).as_posix()
        try:
            root.path(relative)
        except ImageError:
            continue  # a link that leads out of the root
        found.append(relative)
    return sorted(found, key=str.casefold)


def _walked(top: Path) -> Iterator[Path]:
    looked = 0
    for folder, inner, files in os.walk(top):
        here = Path(folder)
        if len(here.relative_to(top).parts) >= _DEPTH:
            inner.clear()
        inner[:] = sorted(one for one in inner if not one.startswith("."))
        for name in files:
            looked += 1
            if name.endswith(MODELS) and not name.startswith("."):
                yield here / name
        if looked > MOST:
            return


def _short(value: str) -> str:
    said = readable(value)
    return said if len(said) <= 40 else f"\u2026{said[-39:]}"
