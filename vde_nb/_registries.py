"""What people register, in one table: anomaly types, features and models."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeAlias

from vde_nb.classify._registry import anomaly_types, put_rules, user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.features import _user
from vde_nb.features.models import FEATURE_MODELS
from vde_nb.segment.models import MODELS

__all__ = [
    "FEATURE",
    "FEATURE_MODEL",
    "MODEL",
    "TYPE",
    "Entries",
    "changes",
    "defined_in",
    "entries",
    "original",
    "put",
]

#: Registries.
TYPE, FEATURE, FEATURE_MODEL, MODEL = "type", "feature", "feature model", "model"
#: What is registered by registry and name; None: there is nothing of that name, or not any more.
Entries: TypeAlias = Mapping[tuple[str, str], Any]


def entries() -> dict[tuple[str, str], Any]:
    """All there is in the registries, but for functions that were given to be used just once."""
    there = {name: BUILT_IN[name] for name in anomaly_types() if name in BUILT_IN}
    functions = {name: one for name, one in _user.functions().items() if not one.automatic}
    return {
        (registry, name): one
        for registry, known in (
            (TYPE, {**there, **user_rules()}),
            (FEATURE, functions),
            (FEATURE_MODEL, dict(FEATURE_MODELS)),
            (MODEL, dict(MODELS)),
        )
        for name, one in known.items()
    }


def changes(before: Entries, after: Entries) -> dict[tuple[str, str], Any]:
    """What makes `after` of `before`."""
    return {
        key: after.get(key) for key in {**after, **before} if after.get(key) is not before.get(key)
    }


def put(wanted: Entries) -> None:
    """Register what is wanted, and take away what is to be None."""
    put_rules(_of(TYPE, wanted))
    for name, function in _of(FEATURE, wanted).items():
        if function is None:
            _user.functions_without(name)
        else:
            _user.put_function(function)
    models: tuple[tuple[str, dict[str, Any]], ...] = (
        (FEATURE_MODEL, FEATURE_MODELS),
        (MODEL, MODELS),
    )
    for registry, known in models:
        for name, model in _of(registry, wanted).items():
            if model is None:
                known.pop(name, None)
            else:
                known[name] = model


def _of(registry: str, wanted: Entries) -> dict[str, Any]:
    return {name: one for (which, name), one in wanted.items() if which == registry}


def original(key: tuple[str, str]) -> Any:
    """What vde-nb itself registers by that name; None where that is nothing."""
    registry, name = key
    return BUILT_IN.get(name) if registry == TYPE else None


def defined_in(module: str) -> dict[tuple[str, str], Any]:
    """Types and features that are registered, and whose functions a module or package defines."""
    return {
        key: one
        for key, one in entries().items()
        if key[0] in (TYPE, FEATURE)
        and one is not original(key)
        and f"{_origin(one)}.".startswith(f"{module}.")
    }


def _origin(one: Any) -> str:
    """Name of the module that defines a rule, or the function that describes pictures."""
    if isinstance(one, _user.Function):
        one = one.function
    while isinstance(one, functools.partial):
        one = one.func
    return str(getattr(one, "__module__", ""))
