"""The address of the repository, everywhere it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .first_cells import home

#: Files that may name it, below the root.
PATTERNS = ("*.md", "*.toml", "notebooks/*.ipynb", "binder/*", "docs/**/*.md")

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")

_BEFORE = r"((?:github\.com|githubusercontent\.com|/github|/gh)/)"


def files(root: Path) -> Iterator[Path]:
    """The files that may name the repository's address."""
    for pattern in PATTERNS:
        yield from (one for one in sorted(root.glob(pattern)) if one.is_file())


def move(root: Path, new: str) -> list[Path]:
    """Write another address wherever the present one stands.

    Parameters
    ----------
    root : Path
        The root of the repository, with ``pyproject.toml``.
    new : str
        As ``owner/name``.

    Returns
    -------
    list of Path
        The files that were changed.

    Raises
    ------
    ValueError
        `new` is no such address, or ``pyproject.toml`` does not tell the present one.
    """
    if not NAME.fullmatch(new):
        raise ValueError(f"{new!r} is not the address of a repository: write it as OWNER/NAME")
    pattern = re.compile(_BEFORE + re.escape(home(root)) + r"(?![\w-])")
    changed = []
    for path in files(root):
        before = path.read_bytes()
        after = pattern.sub(rf"\g<1>{new}", before.decode("utf-8")).encode("utf-8")
        if after != before:
            path.write_bytes(after)
            changed.append(path)
    return changed


def others(root: Path) -> list[tuple[Path, str]]:
    """Addresses of a ``vde-nb`` that are not the repository's: file and what stands there."""
    own = home(root)
    pattern = re.compile(_BEFORE + r"([\w.-]+/vde-nb)(?![\w-])", re.IGNORECASE)
    return [
        (path, found[1] + found[2])
        for path in files(root)
        for found in pattern.finditer(path.read_text(encoding="utf-8"))
        if found[2] != own
    ]
