r"""Why nothing is found at a path, in words: where it was looked for, and what was likely meant.

Nothing here opens a file, and nothing is taken in place of what was named: a person is told, and
decides. The usual reasons are a notebook that runs in another folder than its author thinks, a
path copied from a table, and a path of Windows: written without ``r``, so that Python reads
``\n`` and ``\t`` as a line break and a tab, or used on a system that has other paths.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from itertools import islice
from pathlib import Path, PureWindowsPath

__all__ = ["absent", "ended", "from_url", "is_foreign", "misread", "missing", "shown"]

#: Names in a folder that are looked through, and folders below and above it.
_MOST_NAMES, _MOST_BELOW, _MOST_ABOVE = 5000, 200, 3
#: Whether backslashes part folders; a constant, because ``pathlib`` asks ``os.name`` itself.
ON_WINDOWS = os.name == "nt"
_SYSTEMS = {"linux": "Linux", "darwin": "macOS"}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_ESCAPES["\v"] = r"\v"
_READ_AS = {"\n": "a line break", "\r": "a line break", "\t": "a tab"}
#: With a drive or a share: nothing else begins like this.
_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\[^\\]")


def shown(text: str) -> str:
    r"""`text` with its control characters as they are typed between quotation marks.

    >>> print(shown("C:\new.png"), shown("a\x8224"))
    C:\new.png a\20224
    """
    return _CONTROL.sub(lambda found: _typed(found[0]), text)


def _typed(one: str) -> str:
    return _ESCAPES.get(one) or f"\\{ord(one):o}"


def is_foreign(given: str) -> bool:
    """Whether it is a path of Windows, and this is another system."""
    return not ON_WINDOWS and _OF_WINDOWS.match(shown(given)) is not None


def misread(given: str) -> str:
    r"""What is wrong with the text of a path wherever one looks; empty where nothing seems to be.

    It goes on after "… does not exist" or "There is no folder …".

    >>> print(misread("a.png\n"))
    : a line break stands at its end, which .strip() takes away
    """
    bare, typed = given.strip(), shown(given)
    if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in "\"'":  # as Windows copies a path
        return ": leave out the quotation marks around it"
    foreign = is_foreign(given)
    if typed == given:
        return f": it is a path of Windows{_elsewhere(typed)}" if foreign else ""
    if not (foreign or "\\" in given or _OF_WINDOWS.match(typed) or _CONTROL.search(bare)):
        return ": a line break stands at its end, which .strip() takes away"
    kinds = dict.fromkeys(_CONTROL.findall(given))
    read = [f"{_typed(one)} as {_READ_AS.get(one, 'a control character')}" for one in kinds]
    told = f"Python read {_joined(read)}"
    if foreign:
        return f": it is a path of Windows, in which {told}{_elsewhere(typed)}"
    raw = f'r"{typed}", or ' if ON_WINDOWS and not typed.endswith("\\") else ""
    return f": {told}; write {raw}/ in place of \\"


def _joined(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _elsewhere(typed: str) -> str:
    """What to do with a path of Windows on another system."""
    here = _SYSTEMS.get(sys.platform, sys.platform)
    path = PureWindowsPath(typed)
    drive = path.drive.rstrip(":").lower()
    told = f", and this Python runs on {here}; pass its path there"
    if len(drive) == 1 and here == "Linux":
        return f"{told} (under WSL /{'/'.join(('mnt', drive, *path.parts[1:]))})"
    return told


def missing(given: str, *, folder: bool = False) -> str:
    """Where a path was looked for that leads to nothing, and what was likely meant.

    Parameters
    ----------
    given
        The path as it was given.
    folder
        Whether it should have been a folder, not a file.

    Returns
    -------
    str
        It goes on after "… does not exist" or "There is no folder …", and has no full stop.
    """
    told = misread(given)
    if told:
        return told
    path, place = Path(given), ""
    try:
        path = path.expanduser()
        if not path.is_absolute():
            place = f" in {Path.cwd()}"
        return place + _meant(given, path, folder)
    except (OSError, RuntimeError, ValueError):  # nor can be said what was meant
        return place


def absent(given: str, *, folder: bool = False) -> str:
    """The same as a whole sentence, which begins with what is not there."""
    begun = f"There is no folder {shown(given)}" if folder else f"{shown(given)} does not exist"
    return ended(f"{begun}{missing(given, folder=folder)}")


def ended(text: str) -> str:
    """`text` with a full stop, unless it ends with a question."""
    return text if text.endswith("?") else f"{text}."


def _meant(given: str, path: Path, folder: bool) -> str:
    """What is there instead."""
    if "\\" in given and not ON_WINDOWS:
        if _is(Path(given.replace("\\", "/")).expanduser(), folder):
            return "; with / in place of \\ there is one"
        return "; write / in place of \\, which parts no folders here"
    near = [] if path.is_absolute() else _around(given, folder)
    if not near and not path.parent.is_dir():
        return f"; nor is there a folder {path.parent}"
    near = near or _alike(path, folder)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _is(path: Path, folder: bool) -> bool:
    return path.is_dir() if folder else path.exists()


def _around(given: str, folder: bool) -> list[str]:
    """The same path from a folder above the working folder, or from one right below it."""
    with os.scandir() as entries:
        below = [
            entry.name
            for entry in islice(entries, _MOST_NAMES)
            if not entry.name.startswith(".") and entry.is_dir()
        ]
    above = ["/".join([".."] * count) for count in range(1, _MOST_ABOVE + 1)]
    for start in (*above, *sorted(below)[:_MOST_BELOW]):
        there = os.path.normpath(f"{start}/{given}")
        if _is(Path(there), folder):
            return [there]
    return []


def _alike(path: Path, folder: bool) -> list[str]:
    """Up to three names in the same folder that are much like this one."""
    names = {one.name.casefold(): one for one in islice(path.parent.iterdir(), _MOST_NAMES)}
    close = difflib.get_close_matches(path.name.casefold(), names, 3)
    return [names[name].name for name in close if not folder or names[name].is_dir()]


def from_url(url: str) -> str:
    """The path that a ``file://`` URL stands for; empty for another, and for one of a share.

    >>> from_url("https://example.org/a.png")
    ''
    """
    from urllib.parse import urlsplit  # only after a mistake
    from urllib.request import url2pathname

    if not url.lower().startswith("file://"):
        return ""
    try:
        parts = urlsplit(url)
        own = parts.netloc.lower() in ("", "localhost")
        return url2pathname(parts.path) if own else ""
    except (OSError, ValueError):  # no URL at all; or, on Windows, of no path
        return ""
