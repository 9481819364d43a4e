"""How a setting is declared, and how its values are checked."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from vde_nb.errors import SettingError

__all__ = ["Declaration", "StageSettings", "nearest", "setting"]


def nearest(word: str, words: Iterable[str]) -> str:
    """Up to three of `words` that look like `word`, as text; empty when none does.

    >>> nearest("treshold", ["threshold", "thresholds", "fit"])
    "'threshold' or 'thresholds'"
    """
    # A word out of a file may be of any length, and no name is so long.
    close = difflib.get_close_matches(str(word)[:100], sorted(words), n=3, cutoff=0.6)
    return " or ".join(repr(item) for item in close)


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    choices: Sequence[str] | None = None,
    unit: str = "",
    advanced: bool = False,
    methods: Sequence[str] | None = None,
    model: bool = False,
    on: str | None = None,
    count: int | None = None,
) -> Any:
    """Declare one setting (used as the default of a dataclass field of a stage).

    Parameters
    ----------
    default
        Default value; its Python type is the setting's type (a tuple: of its first item's type).
    help
        One sentence for tooltips, ``--help`` and the docs.
    low, high
        Inclusive range of a number, or of each item of a tuple.
    step
        Step of a slider.
    choices
        Allowed values of a text setting.
    unit
        Unit shown behind the value.
    advanced
        Folded away by the panel until asked for.
    methods
        Methods that use this setting; None means all of them.
    model
        Only a segmenter with a trained model uses it.
    on
        Choice that True stands for (False stands for ``"off"``); None: neither is allowed.
    count
        Items a tuple must have; None: one or more.
    """
    return field(
        default=default,
        metadata={
            "help": help,
            "low": low,
            "high": high,
            "step": step,
            "choices": tuple(choices) if choices is not None else None,
            "unit": unit,
            "advanced": advanced,
            "methods": tuple(methods) if methods is not None else None,
            "model": model,
            "on": on,
            "count": count,
        },
    )


@dataclass(frozen=True)
class Declaration:
    """What is known of one setting.

    Attributes
    ----------
    name, stage
        Its name, unique over all stages, and the stage it belongs to.
    default, help, low, high, step, choices, unit, advanced, methods, model, on, count
        As for :func:`setting`.
    """

    name: str
    stage: str
    default: Any
    help: str
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[str, ...] | None
    unit: str
    advanced: bool
    methods: tuple[str, ...] | None
    model: bool = False
    on: str | None = None
    count: int | None = None

    @property
    def kind(self) -> type:
        """Type of the value, or of the items when :attr:`many` is true."""
        return type(self.default[0]) if self.many else type(self.default)

    @property
    def many(self) -> bool:
        """Whether the value is a tuple of numbers."""
        return isinstance(self.default, tuple)

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(repr(choice) for choice in self.choices)
        kind = {int: "whole number", float: "number", str: "text", bool: "true or false"}[self.kind]
        if self.count is not None:
            kind += "s"
        if self.low is not None and self.high is not None:
            kind += f" from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            kind += f" of at least {self.low:g}"
        if self.many:
            return f"list, each a {kind}" if self.count is None else f"{self.count} {kind}"
        return kind

    def check(self, value: Any) -> Any:
        """Return `value` in the setting's own type, or raise :class:`SettingError`.

        The number of items is left to :meth:`check_count`: the command line reads them one by one.
        """
        if self.many:
            if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
                value = (value,)
            items = tuple(self._check_one(item) for item in value)
            if not items:
                raise SettingError(f"{self.name} must not be empty: {self.range}.")
            return items
        return self._check_one(value)

    def check_count(self, value: Any) -> None:
        """Raise :class:`SettingError` when a checked `value` has not as many items as it must."""
        if self.count not in (None, len(value) if self.many else None):
            raise SettingError(f"{self.name}={value!r} is not allowed: {self.range}.")

    def _check_one(self, value: Any) -> Any:
        if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
            value = value.item()  # a NumPy or torch scalar
        if self.on is not None and isinstance(value, bool):
            value = self.on if value else "off"
        kind = self.kind
        fits = isinstance(value, kind) and not (kind is not bool and isinstance(value, bool))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value, fits = float(value), True
        if kind is int and isinstance(value, float) and value.is_integer():
            value, fits = int(value), True
        if fits and kind is float and not math.isfinite(value):
            fits = False
        if fits and self.low is not None and value < self.low:
            fits = False
        if fits and self.high is not None and value > self.high:
            fits = False
        if fits and self.choices is not None and value not in self.choices:
            fits = False
        if not fits:
            hint = ""
            if self.choices and isinstance(value, str):
                close = nearest(value, self.choices)
                hint = f" Did you mean {close}?" if close else ""
            raise SettingError(f"{self.name}={value!r} is not allowed: {self.range}.{hint}")
        return value


class StageSettings:
    """Base of the stages' dataclasses: validates and normalises every field."""

    #: Name of the stage.
    stage: ClassVar[str]

    def __post_init__(self) -> None:
        for declared in self.declared():
            value = declared.check(getattr(self, declared.name))
            declared.check_count(value)
            object.__setattr__(self, declared.name, value)

    @classmethod
    @cache  # asked for at every move of a slider
    def declared(cls) -> tuple[Declaration, ...]:
        """Declarations of the stage's settings."""
        return tuple(
            Declaration(name=item.name, stage=cls.stage, default=item.default, **item.metadata)
            for item in dataclasses.fields(cls)  # type: ignore[arg-type]
        )
