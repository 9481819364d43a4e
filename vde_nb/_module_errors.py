"""What goes wrong while a plug-in is loaded, in words."""

from __future__ import annotations

import difflib
import functools
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vde_nb._console import shell_word
from vde_nb._lessons import lesson
from vde_nb._paths import ended, misread, missing, shown
from vde_nb.errors import SettingError

__all__ = ["failed_at", "told", "words_of"]

#: What the code of a notebook's cell is called: by ipykernel, by IPython elsewhere and by Xeus.
_CELL = re.compile(r"(?:ipykernel_\d+|xpython_\d+)[\\/]\d+\.py$|<?ipython-input-")


@contextmanager
def told(name: str, source: str) -> Iterator[None]:
    """What goes wrong while a plug-in is loaded, in one sentence with its place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if source.endswith(".py") and not os.path.lexists(source):
            raise SettingError(
                f"plugins: {shown(name)} cannot be imported: {_absent(name)} "
                f"{_remedy(name, source, error)}"
            ) from error
        what = words_of(error)
        if isinstance(error, SystemExit):
            what = "it ends the program (SystemExit)"
        place = _place(error, source)
        if place and place not in what:
            what = f"{what} ({place})"
        raise SettingError(
            f"plugins: {name} cannot be imported: {what}. {_remedy(name, source, error)}"
        ) from error


def words_of(error: BaseException) -> str:
    r"""Kind and words of an error in one line, to be gone on with.

    >>> words_of(ValueError("no  such\nburr."))
    'ValueError: no such burr'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")


def _absent(name: str) -> str:
    """That there is no such file, with the plug-in that was likely meant or how to begin one."""
    where, asked, meant = missing(name).partition("; did you mean ")
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - Path's own fails for unknown users
    if asked and Path(meant[:-1]).name != path.name:  # its like, of which pictures are no plug-ins
        with suppress(OSError):
            files = [one.name for one in path.parent.iterdir() if one.suffix == ".py"]
            meant = f"{' or '.join(difflib.get_close_matches(path.name, files))}?"
    told = f"there is no such file{where}"
    if meant.rstrip("?"):
        return f"{told}{asked}{meant}"
    if misread(name) or not path.parent.is_dir():
        return ended(told)
    return f"{told}. vde-nb plugin new {shell_word(name)} writes one to begin with."


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
    line = _line(error, path)
    return f"{Path(path).name}, line {line}" if line else ""


def _line(error: BaseException, path: str) -> int:
    """The innermost line of a file that an error went through; 0 where it did not."""
    line, frame = 0, error.__traceback__
    while frame is not None:
        if path and frame.tb_frame.f_code.co_filename == path:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def failed_at(error: BaseException, function: Callable[..., Any], source: str = "") -> str:
    """Where in the file, or in the notebook's cell, of a function it failed, in words.

    Parameters
    ----------
    error
        What the function raised.
    function
        A function, a method, a part of one, or an object that can be called.
    source
        A file that is told of rather than the function's own, where the error went through it:
        that of a plug-in, whose rules a helper elsewhere may have made.

    Returns
    -------
    str
        Such as ``"burrs.py, line 7"``: the innermost line of that file, which may be one of a
        helper that the function called. Empty where the function is not written in Python.

    Examples
    --------
    >>> def rule(region):
    ...     return 1 / 0
    >>> try:
    ...     rule(None)
    ... except ZeroDivisionError as error:
    ...     failed_at(error, rule)
    'line 2'
    """
    while isinstance(function, functools.partial):
        function = function.func
    with suppress(ValueError):  # it wraps itself
        function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(inspect.getattr_static(type(function), "__call__", None), "__code__", None)
    path = getattr(code, "co_filename", "")
    path = source if _line(error, source) else path
    line = _line(error, path)
    if not line:
        return ""
    if _CELL.search(path):
        return f"line {line} of its cell"
    return f"line {line}" if path.startswith("<") else f"{Path(path).name}, line {line}"


def _remedy(name: str, source: str, error: BaseException) -> str:
    """What to do."""
    if _place(error, source):
        return "Mend it there and load it again."
    if not source.endswith(".py") and Path(f"{source}.py").is_file():
        return f"Did you mean the file {name}.py? A file is named with its ending."
    return (
        f"Give the name of a module that Python finds, or the path of a .py file.{lesson('types')}"
    )
