"""Descriptions of pictures by functions of the user's own."""

from __future__ import annotations

import functools
import itertools
import re
import threading
import types
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb.errors import SettingError
from vde_nb.features.base import PatchFeatures
from vde_nb.settings import nearest

__all__ = [
    "Function",
    "add_function",
    "checked_name",
    "functions",
    "functions_without",
    "named_features",
    "remove_function",
]

#: What describes a picture: ``(H, W, 3)`` uint8 in, ``(h, w, d)`` out.
Describe = Callable[[npt.NDArray[np.uint8]], Any]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
# Numbers of functions mean nothing to another process, so a number alone would name two things.
_PROCESS = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


@dataclass(eq=False)
class Function:
    """A function as :class:`~vde_nb.features.base.Extractor`.

    Attributes
    ----------
    name, title, identity
        As of any extractor. The identity is the version where one was given, which then stands
        for the function's answers, also in files; otherwise it is of this registration only.
    function
        What was given.
    positional
        Whether its descriptions also tell where a cell lies.
    automatic
        Whether it got its name on being used, so that the next of that name replaces it.
    """

    name: str
    title: str
    identity: str
    function: Describe
    positional: bool = False
    automatic: bool = False

    def __call__(self, image: npt.NDArray[np.uint8], what: str = "the picture") -> PatchFeatures:
        """Describe a picture; cells share it out evenly.

        Raises
        ------
        SettingError
            What the function returns is no description; the message names it.
        """
        # A copy: it may change its input, which is the caller's and others'.
        answer = self.function(np.array(image, order="C"))
        if isinstance(answer, PatchFeatures):
            values = self._checked(answer.values, what)
            return PatchFeatures(values, answer.cell, answer.shape, answer.positional)
        values = self._checked(answer, what)
        height, width = image.shape[:2]
        rows, columns = values.shape[:2]
        return PatchFeatures(
            values, (width / columns, height / rows), (height, width), self.positional
        )

    def _checked(self, answer: Any, what: str) -> npt.NDArray[np.float32]:
        must = "it must return an array (rows, columns, numbers per cell) of finite numbers"
        said = f"features={self.name!r}: for {what} the function returned"
        try:
            array = np.asarray(answer)
            if array.dtype.kind not in "fiub":
                raise TypeError
        except (TypeError, ValueError, RuntimeError):  # of torch: on a GPU, or with a gradient
            raise SettingError(f"{said} {type(answer).__name__}; {must}.") from None
        if array.ndim != 3 or not array.size:
            raise SettingError(f"{said} an array of the shape {array.shape}; {must}.")
        with np.errstate(over="ignore"):  # infinity is told below
            values = np.array(array, np.float32, order="C")
        if not np.isfinite(values).all():
            raise SettingError(f"{said} numbers that are not finite; {must}.")
        return values


_functions: dict[str, Function] = {}
_lock = threading.Lock()


def functions() -> dict[str, Function]:
    """Those that were added, by name, in the order they were added."""
    with _lock:
        return dict(_functions)


def add_function(
    name: str,
    function: Describe,
    *,
    positional: bool = False,
    title: str | None = None,
    version: str = "",
) -> Function:
    """Register a function; see :func:`vde_nb.features.add_features`, which checks the name."""
    number = f"{_PROCESS}-{next(_numbers)}"
    identity = f"function {name} {f'version {version}' if version else number}"
    made = Function(name, str(title or name), identity, function, bool(positional))
    with _lock:
        _functions[name] = made
    return made


def checked_name(name: Any, taken: tuple[str, ...]) -> str:
    """`name` where it can be a name of features, and is none that is `taken`.

    Raises
    ------
    SettingError
        It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SettingError(
            f"name={name!r} cannot be a name of features: up to 64 letters, digits and _ . + -, "
            "the first a letter or digit."
        )
    if name in taken:
        raise SettingError(f"name={name!r} is taken already; choose another.")
    return name


def functions_without(name: str) -> None:
    """Forget the function of that name, if there is one: something else has it now."""
    with _lock:
        _functions.pop(name, None)


def remove_function(name: str) -> None:
    """Take a function away.

    Raises
    ------
    SettingError
        None of that name was added.
    """
    with _lock:
        if name in _functions:
            del _functions[name]
            return
        close = nearest(name, _functions)
    hint = f" Did you mean {close}?" if close else ""
    raise SettingError(f"No features {name!r} were added; only those that were can go.{hint}")


def named_features(value: Any, taken: tuple[str, ...] = ()) -> str:
    """The name of `value`, which becomes one of the registry where it is a function.

    Parameters
    ----------
    value
        A name, which is returned as it is, or a function ``image -> (h, w, d)``, which gets the
        name it was defined with. A later function of that name replaces it.
    taken
        Names that mean something else.

    Raises
    ------
    SettingError
        It is neither.
    """
    if isinstance(value, str):
        return value
    if not callable(value):
        raise SettingError(
            f"features is {value!r}: it must be a name (vde_nb.features() lists them) or a "
            "function image -> (rows, columns, numbers per cell)."
        )
    with _lock:
        for known in _functions.values():
            if _same(known.function, value):
                return known.name
        taken = (*taken, *(one.name for one in _functions.values() if not one.automatic))
        name = base = _own_name(value)
        attempts = itertools.count(2)
        while name in taken:
            name = f"{base}_{next(attempts)}"
        identity = f"function {name} {_PROCESS}-{next(_numbers)}"
        _functions[name] = Function(name, name, identity, value, automatic=True)
        return name


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, types.MethodType) and isinstance(other, types.MethodType):
        # a method is made anew each time it is looked up
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return one is other


def _own_name(value: Any) -> str:
    while isinstance(value, functools.partial):
        value = value.func
    name = str(getattr(value, "__name__", type(value).__name__))
    return re.sub(r"[^A-Za-z0-9_.+-]+", "", name).lstrip("_.+-")[:60] or "function"
