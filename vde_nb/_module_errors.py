"""What goes wrong while a plug-in is loaded, in words."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vde_nb._lessons import lesson
from vde_nb.errors import SettingError

__all__ = ["told"]


@contextmanager
def told(name: str, source: str) -> Iterator[None]:
    """What goes wrong while a plug-in is loaded, in one sentence with its place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")
        if isinstance(error, SystemExit):
            said = "it ends the program (SystemExit)"
        place = _place(error, source)
        if place and place not in said:
            said = f"{said} ({place})"
        raise SettingError(
            f"plugins: {name} cannot be imported: {said}. {_remedy(name, source, error)}"
        ) from error


def _place(error: BaseException, source: str) -> str:
    """File and line of the plug-in at which it failed; empty where it did not get that far."""
    path = source
    if not source.endswith(".py"):
        path = getattr(sys.modules.get(source), "__file__", None) or ""
        spec = None
        if not path:
            try:
                spec = importlib.util.find_spec(source)
            except (ImportError, ValueError, AttributeError):
                spec = None
        path = path or (spec.origin if spec is not None and spec.origin else "")
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{Path(path).name}, line {error.lineno}"
    line, frame = 0, error.__traceback__
    while frame is not None:
        if path and frame.tb_frame.f_code.co_filename == path:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f"{Path(path).name}, line {line}" if line else ""


def _remedy(name: str, source: str, error: BaseException) -> str:
    """What to do."""
    if _place(error, source):
        return "Mend it there and load it again."
    if not source.endswith(".py") and Path(f"{source}.py").is_file():
        return f"Did you mean the file {name}.py? A file is named with its ending."
    return (
        f"Give the name of a module that Python finds, or the path of a .py file.{lesson('types')}"
    )
