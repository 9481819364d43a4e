"""One script of many modules: what a bundler does, as far as this viewer needs it.

A widget gets its script as one text, and a page opened from a disk may load no second file. So
the modules in ``static/`` keep to a few forms, and putting them together is a matter of lines:

- ``import { a, b } from "./x.js";`` at the start of a line, over several lines if need be, is the
  only form of import, without renaming;
- ``export`` stands before a declaration at the start of a line; only the entry has a
  ``export default``;
- what is declared at the start of a line is declared once over all modules.

Whatever breaks a rule is refused with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["BundleError", "css", "declared", "esm", "module", "modules"]

_IMPORT = re.compile(r'^import\s*\{([^{}]*)\}\s*from\s*"\./([\w-]+)\.js";?[ \t]*\n', re.M)
_ANY_IMPORT = re.compile(r"^import\b", re.M)
_EXPORT = re.compile(r"^export[ \t]+(?!default\b)(?=(?:async|function|class|const|let)\b)", re.M)
_DEFAULT = re.compile(r"^export[ \t]+default\b", re.M)
_ANY_EXPORT = re.compile(r"^export\b", re.M)
_DECLARATION = re.compile(
    r"^(export[ \t]+(?:default[ \t]+)?)?"
    r"(?:(?:async[ \t]+)?function[ \t]*\*?|class|const|let|var)[ \t]*"
    r"(?:([A-Za-z_$][\w$]*)|([\[{][^=;]*[\]}])[ \t]*=)",
    re.M,
)
#: What a pattern such as ``{ a, b: [c] }`` declares: a and c.
_BOUND = re.compile(r"[A-Za-z_$][\w$]*(?![\w$]|\s*:)")
_STYLES = ("viewer.css", "parts.css", "gallery.css", "controls.css")


class BundleError(RuntimeError):
    """The modules cannot be put together: a mistake in the package, none of its user."""


@cache
def esm(entry: str) -> str:
    """One ES module that holds an entry and everything it imports.

    Parameters
    ----------
    entry
        Name of a module in ``static/`` without its ending, such as ``"widget"`` or ``"report"``.

    Returns
    -------
    str
        The modules, each after those it needs; only the entry's default export is left.

    Raises
    ------
    BundleError
        A module is missing or breaks a rule of this module's docstring, imports form a circle,
        or two modules declare one name.
    """
    places: dict[str, str] = {}
    parts = []
    for name in _ordered(entry):
        for found, line in declared(name):
            here = f"{name}.js:{line}"
            if found in places:
                raise BundleError(f"{here}: {found!r} is declared in {places[found]} already.")
            places[found] = here
        parts.append(f"// {name}.js\n{_bare(name, is_entry=name == entry)}")
    return "\n".join(parts)


@cache
def css() -> str:
    """The viewer's style sheets, one after the other."""
    return "\n".join(_read(name) for name in _STYLES)


def modules() -> list[str]:
    """Names of all modules in ``static/``, without their endings, in alphabetical order."""
    names = (file.name for file in _folder().iterdir())
    return sorted(name[: -len(".js")] for name in names if name.endswith(".js"))


def module(name: str) -> str:
    """Text of a module in ``static/``, with a line break at its end."""
    return _read(f"{name}.js").rstrip() + "\n"


def declared(name: str) -> Iterator[tuple[str, int]]:
    """Names a module declares at its top level, each with its line from 1."""
    for _, found, line in _declarations(module(name)):
        yield found, line


def _declarations(text: str) -> Iterator[tuple[bool, str, int]]:
    for match in _DECLARATION.finditer(text):
        line = _line(text, match.start())
        for found in [match[2]] if match[2] else _BOUND.findall(match[3]):
            yield bool(match[1]), found, line


def _ordered(entry: str) -> list[str]:
    """The entry and all it imports, each after what it imports itself."""
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join(f"{one}.js" for one in (*path[path.index(name) :], name))
            raise BundleError(f"The imports form a circle: {circle}.")
        if name in done:
            return
        for inner in _imports(name):
            visit(inner, (*path, name))
        done.append(name)

    visit(entry, ())
    return done


def _imports(name: str) -> list[str]:
    """Modules that a module imports, checked to export what is asked of them."""
    text, found = module(name), []
    for match in _IMPORT.finditer(text):
        here, inner = f"{name}.js:{_line(text, match.start())}", match[2]
        if inner not in modules():
            raise BundleError(f"{here}: there is no module {inner}.js.")
        offered = {one for exported, one, _ in _declarations(module(inner)) if exported}
        for asked in filter(None, (one.strip() for one in match[1].split(","))):
            if asked not in offered:
                raise BundleError(f"{here}: {inner}.js exports no {asked!r}.")
        found.append(inner)
    return found


def _bare(name: str, *, is_entry: bool) -> str:
    """A module's text without its imports and exports."""
    text = module(name)
    for pattern, kept in ((_ANY_IMPORT, _IMPORT), (_ANY_EXPORT, _EXPORT)):
        fine = {match.start() for match in kept.finditer(text)}
        if pattern is _ANY_EXPORT and is_entry:
            fine |= {match.start() for match in _DEFAULT.finditer(text)}
        for match in pattern.finditer(text):
            if match.start() not in fine:
                line = _line(text, match.start())
                said = text.splitlines()[line - 1].strip()
                raise BundleError(f"{name}.js:{line}: this form is not put together: {said}")
    return _EXPORT.sub("", _IMPORT.sub("", text))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _folder() -> Traversable:
    return resources.files("vde_nb.viewer").joinpath("static")


def _read(name: str) -> str:
    file = _folder().joinpath(name)
    if not file.is_file():
        raise BundleError(f"vde_nb/viewer/static/{name} is missing: install vde-nb again.")
    return file.read_text("utf-8")
