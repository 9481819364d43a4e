"""The registry of anomaly types: the built-in ones and the user's, on equal terms."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping

import numpy as np

from vde_nb._lessons import lesson
from vde_nb._module_errors import failed_at, words_of
from vde_nb.classify._region import Region
from vde_nb.classify._rules import BUILT_IN
from vde_nb.errors import SettingError, VdeError

__all__ = [
    "NUMBERS",
    "Rule",
    "anomaly_type",
    "anomaly_types",
    "confidences",
    "put_rules",
    "remove_anomaly_type",
    "reset_anomaly_types",
    "user_rules",
]

Rule = Callable[[Region], float]
#: What a rule may return.
NUMBERS = (bool, int, float, np.floating, np.integer, np.bool_)

#: Every rule by the name of its type, the built-in ones first. It is replaced as a whole and never
#: changed: others go through it while a region is being named.
_rules: Mapping[str, Rule] = dict(BUILT_IN)
_lock = threading.Lock()


def anomaly_type(name: str) -> Callable[[Rule], Rule]:
    """Register a new type of anomaly: decorator of a function ``region -> confidence``.

    Parameters
    ----------
    name
        The type's name: letters, digits, ``_`` and ``-``. Registering a name again replaces
        its rule, so a notebook cell may be run twice; a built-in type is replaced in the same
        way.

    Returns
    -------
    callable
        The decorator; it returns the function as it was.

    Raises
    ------
    SettingError
        `name` is no such name, or what is decorated is no function.

    Examples
    --------
    >>> @anomaly_type("burr")
    ... def burr(region):
    ...     return 0.9 if region.area < 200 and region.aspect_ratio > 2 else 0.0
    >>> anomaly_types()[-1]
    'burr'
    >>> remove_anomaly_type("burr")

    Notes
    -----
    The function gets a :class:`Region` and returns its confidence in [0, 1]. The type with the
    highest confidence wins; in the classifier ``"rules"`` the shape rules count with 0.5.

    A type of yours wins a tie against a built-in one, and whenever it is ahead. But where a
    built-in type is ahead by less than 0.05 the region is called ``"unknown"``: a rule that
    returns 0.97 beside a built-in one of 1.0 names nothing. Return 1.0 once all that can be
    checked has been checked, less only to give way. Nothing is named below 0.35.

    A type is there until the process ends, :func:`remove_anomaly_type` or
    :func:`reset_anomaly_types`. In a file it can be loaded anywhere, see
    :func:`vde_nb.load_plugin`; ``notebooks/09_new_anomaly_type.ipynb`` goes all the way.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]{1,64}", name):
        raise SettingError(
            f"anomaly_type({name!r}): a name has 1 to 64 letters, digits, '_' or '-'. "
            f'Write it with brackets: @anomaly_type("burr").{lesson("types")}'
        )

    def register(rule: Rule) -> Rule:
        if not callable(rule):
            raise SettingError(
                f"anomaly_type({name!r}) is given {rule!r}: a rule is a function region -> "
                f"confidence.{lesson('types')}"
            )
        put_rules({name: rule})
        return rule

    return register


def remove_anomaly_type(name: str) -> None:
    """Take a type away, built-in or your own.

    :func:`reset_anomaly_types` brings the built-in ones back.

    Raises
    ------
    SettingError
        There is no type of that name.
    """
    if name not in _rules:
        raise SettingError(f"No anomaly type {name!r} is registered: {list(_rules)}.")
    put_rules({name: None})


def reset_anomaly_types() -> None:
    """Back to the built-in types, as after the import: your own are forgotten."""
    global _rules
    with _lock:
        _rules = dict(BUILT_IN)


def put_rules(changes: Mapping[str, Rule | None]) -> None:
    """Register several rules in one step, and take away those that are None.

    Built-in types stand in the places where they always are.
    """
    global _rules
    with _lock:
        rules = {**_rules, **changes}
        _rules = {
            name: rule
            for name in dict.fromkeys([*BUILT_IN, *rules])
            if (rule := rules.get(name)) is not None
        }


def anomaly_types() -> tuple[str, ...]:
    """Names of all types: the built-in ones, then yours in order of registration.

    >>> anomaly_types()[:3]
    ('missing_part', 'added_part', 'moved')
    """
    return tuple(_rules)


def user_rules() -> Mapping[str, Rule]:
    """The rules that are not the built-in ones, by name."""
    return {name: rule for name, rule in _rules.items() if BUILT_IN.get(name) is not rule}


def confidences(rules: Mapping[str, Rule] | None, region: Region) -> dict[str, float]:
    """Ask rules (None: all registered) about a region.

    Raises
    ------
    VdeError
        A rule raised, or returned something that is not a confidence.
    """
    return {
        name: _confidence(name, rule, region)
        for name, rule in (_rules if rules is None else rules).items()
    }


def _confidence(name: str, rule: Rule, region: Region) -> float:
    where = f"The rule of anomaly type {name!r}"
    try:
        value = rule(region)
    except Exception as error:
        place = failed_at(error, rule)
        raise VdeError(
            f"{where} failed on the region at {region.box}: {words_of(error)}"
            f"{place and f' ({place})'}. "
            f"Mend it and register it again, or remove_anomaly_type({name!r}).{lesson('types')}"
        ) from error
    if isinstance(value, NUMBERS):
        number = float(value)
        if 0.0 <= number <= 1.0:
            return number
    raise VdeError(
        f"{where} returned {value!r}; it must return a confidence from 0 to 1.{lesson('types')}"
    )
