"""Descriptions of pictures by functions of the user's own."""

from __future__ import annotations

import functools
import itertools
import math
import re
import threading
import types
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._module_errors import failed_at
from vde_nb.errors import SettingError
from vde_nb.features.base import PatchFeatures
from vde_nb.settings import nearest

__all__ = [
    "Function",
    "add_function",
    "checked_name",
    "function_called",
    "functions",
    "functions_without",
    "is_forgotten",
    "is_lasting",
    "named_features",
    "remove_function",
]

#: What describes a picture: ``(H, W, 3)`` uint8 in, ``(h, w, d)`` out.
Describe = Callable[[npt.NDArray[np.uint8]], Any]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
# Numbers of functions mean nothing to another process, so a number alone would name two things.
_PROCESS = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)

#: Functions that were given without a name and are kept: a loop of lambdas must not pile up.
KEPT = 64
_MOST = 1e9  # largest number of a description: squares and their sums stay exact enough
_OVER = 1024.0  # pixels that a single cell may hang over the border of a picture


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
        Whether it got its name on being used: only the last 64 of those are kept.
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
            The function raises an error, or what it returns is no description; the message names
            function and picture.
        """
        said = f"features={self.name!r}: for {what} the function"
        try:
            # A copy: it may change its input, which is the caller's and others'.
            answer = self.function(np.array(image, order="C"))
        except MemoryError:  # nothing to do with what it computes
            raise
        except Exception as error:
            told = " ".join(str(error).split())[:300]
            raised = f"{type(error).__name__}{f': {told}' if told else ''}"
            place = failed_at(error, self.function)
            raise SettingError(f"{said} raised {raised}{place and f' ({place})'}") from error
        height, width = image.shape[:2]
        if isinstance(answer, PatchFeatures):
            values = _checked_values(answer.values, said)
            cell = _checked_cell(answer, values.shape, (height, width), said)
            return PatchFeatures(values, cell, (height, width), bool(answer.positional))
        values = _checked_values(answer, said)
        rows, columns = values.shape[:2]
        return PatchFeatures(
            values, (width / columns, height / rows), (height, width), self.positional
        )


def _checked_values(answer: Any, said: str) -> npt.NDArray[np.float32]:
    """What a function returned, as descriptions; `said` begins the message where it is none."""
    must = "it must return an array (rows, columns, numbers per cell) of finite numbers"
    try:
        array = np.asarray(answer)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError, RuntimeError):  # of torch: on a GPU, or with a gradient
        raise SettingError(f"{said} returned {type(answer).__name__}; {must}.") from None
    if array.ndim != 3 or not array.size:
        raise SettingError(f"{said} returned an array of the shape {array.shape}; {must}.")
    with np.errstate(over="ignore"):  # infinity is told below
        values = np.array(array, np.float32, order="C")
    most = float(np.abs(values).max())
    if not math.isfinite(most):
        raise SettingError(f"{said} returned numbers that are not finite; {must}.")
    if most > _MOST:
        raise SettingError(
            f"{said} returned numbers up to {most:.3g}; they must not exceed {_MOST:.0e}, or their "
            "distances cannot be computed. Divide them by what is usual."
        )
    return values


def _checked_cell(
    answer: PatchFeatures, grid: tuple[int, ...], shape: tuple[int, int], said: str
) -> tuple[float, float]:
    """The cell of an answer that says itself how its cells lie, where they can lie like that."""
    (height, width), (rows, columns) = shape, grid[:2]
    if tuple(answer.shape) != shape:
        raise SettingError(
            f"{said} returned PatchFeatures with shape={answer.shape!r}; that is (height, width) "
            f"of the picture, which is {shape}."
        )
    try:
        across, down = (float(side) for side in answer.cell)
    except (TypeError, ValueError):
        across = down = math.nan
    # The last cells may hang over the border, but none lies beyond it.
    fits = all(
        size - 1e-3 <= count * side and (count - 1) * side < size and side <= size + _OVER
        for side, count, size in ((across, columns, width), (down, rows, height))
    )
    if not fits:
        raise SettingError(
            f"{said} returned PatchFeatures with cell={answer.cell!r} for {rows} rows of {columns} "
            f"cells; they must share out the picture of {width} \u00d7 {height} pixels: "
            f"cell=({width / columns:.4g}, {height / rows:.4g}), or a little more."
        )
    return across, down


_functions: dict[str, Function] = {}
# Highest number that a name was given out with: none is given to a second function, as what was
# compared before says by that name what described it.
_given: dict[str, int] = {}
_lock = threading.Lock()


def functions() -> dict[str, Function]:
    """Those that were added, by name; of those without a name of their own, the last used last."""
    with _lock:
        return dict(_functions)


def function_called(name: str) -> Function | None:
    """The function of that name, which is in use again; None where there is none."""
    with _lock:
        found = _functions.get(name)
        if found is not None and found.automatic:
            _functions[name] = _functions.pop(name)
        return found


def is_forgotten(name: str) -> bool:
    """Whether `name` was given to a function that is not kept any more."""
    with _lock:
        return name not in _functions and _was_given(name)


def add_function(
    name: str,
    function: Describe,
    *,
    positional: bool = False,
    title: str | None = None,
    version: str = "",
) -> Function:
    """Register a function; see :func:`vde_nb.add_features`, which checks the name."""
    number = f"{_PROCESS}-{next(_numbers)}"
    identity = f"function {name} {f'version {version}' if version else number}"
    made = Function(name, str(title or name), identity, function, bool(positional))
    with _lock:
        _functions[name] = made
    return made


def is_lasting(identity: str) -> bool:
    """Whether an identity means the same in another session: a function's without version not."""
    return not identity.startswith("function ") or " version " in identity


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


def put_function(function: Function) -> None:
    """Register a function as it was registered before."""
    with _lock:
        _functions[function.name] = function


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
        name it was defined with. Another function of that name gets a number as well, and no name
        is given out twice: results know functions by name. The last 64 are kept.
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
                if known.automatic:
                    _functions[known.name] = _functions.pop(known.name)
                return known.name
        name = _new_name(_own_name(value), (*taken, *_functions))
        identity = f"function {name} {_PROCESS}-{next(_numbers)}"
        _functions[name] = Function(name, name, identity, value, automatic=True)
        unnamed = [one.name for one in _functions.values() if one.automatic]
        for old in unnamed[:-KEPT]:
            del _functions[old]
        return name


def _new_name(base: str, taken: tuple[str, ...]) -> str:
    """`base`, with a number where it means something else or was given out before."""
    numbers = itertools.count(_given.get(base, 0) + 1)
    for number in numbers:
        name = base if number == 1 else f"{base}_{number}"
        if name not in taken and not _was_given(name):
            break
    _given[base] = number
    return name


def _was_given(name: str) -> bool:
    base, _, number = name.rpartition("_")
    return name in _given or (number.isdecimal() and 1 < int(number) <= _given.get(base, 0))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, types.MethodType) and isinstance(other, types.MethodType):
        # a method is made anew each time it is looked up
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return one is other


def _own_name(value: Any) -> str:
    while isinstance(value, functools.partial):
        value = value.func
    name = str(getattr(value, "__name__", type(value).__name__))
    return re.sub(r"[^A-Za-z0-9_.+-]+", "", name).lstrip("_.+-")[:56] or "function"
