"""What a trial of a plug-in tells of each region: its names, and what the rules measured on it."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from vde_nb._table import Table
from vde_nb.classify import UNKNOWN, Label, Region
from vde_nb.classify._registry import Rule

__all__ = ["Asked", "measures_named", "region_lines", "titled"]

_ROWS = 12
_NUMBERS = (int, float, np.integer, np.floating)


@dataclass(frozen=True, eq=False)
class Asked:
    """One region and what came of it.

    Attributes
    ----------
    region
        The evidence.
    before, now
        What it is called without the plug-in's rules, and with them.
    said
        By rule its confidence, None where it had a fault.
    """

    region: Region
    before: Label
    now: Label
    said: Mapping[str, float | None]


def titled(label: Label) -> str:
    """Type and confidence; of what has no name those of the type that was surest."""
    if label.type != UNKNOWN or not label.candidates:
        return f"{label.type} {label.confidence:.2f}"
    return f"{UNKNOWN} ({next(iter(label.candidates))} {label.confidence:.2f})"


def region_lines(asked: Sequence[Asked], rules: Mapping[str, Rule]) -> list[str]:
    """A row for each region with the measures that the rules name below it.

    Parameters
    ----------
    asked
        The regions; those that a rule is surest of come first, and not more than twelve.
    rules
        By name of their types.

    Returns
    -------
    list of str
        Lines for a terminal.
    """
    names = list(dict.fromkeys(one for rule in rules.values() for one in measures_named(rule)))
    order = sorted(asked, key=lambda one: -max(value or 0.0 for value in one.said.values()))
    rows = [
        {
            "box": str(tuple(map(int, one.region.box))),
            "without": titled(one.before),
            "now": titled(one.now),
            "the rule says": ", ".join(
                f"{name} {'(fault)' if value is None else f'{value:.2f}'}"
                for name, value in one.said.items()
            ),
        }
        for one in order[:_ROWS]
    ]
    if not rows:
        return []
    head, *told = _lines_of_rows(rows)
    lines = [*head]
    for one, row in zip(order, told, strict=False):
        lines += [*row, *_values(one.region, names)]
    more = len(order) - _ROWS
    return [*lines, f"and {more} more, of which no rule is surer"] if more > 0 else lines


def _lines_of_rows(rows: Sequence[Mapping[str, str]]) -> Iterator[list[str]]:
    """The lines of a table's head, and those of each row, whose last cell may be folded."""
    *others, last = rows[0]
    width = {name: max(len(name), *(len(row[name]) for row in rows)) for name in others}
    # tables of one row each, that stand in line because their cells are as wide as in all of them
    for at, row in enumerate(rows):
        cells = {name.ljust(width[name]): row[name] for name in others}
        head, *lines = repr(Table([{**cells, last: row[last]}])).splitlines()
        if not at:
            yield [head]
        yield lines


def measures_named(rule: Rule) -> tuple[str, ...]:
    """The measures of a region that a rule's source names, in its order.

    Empty where there is no source, as in a rule that is an object or made by another function's
    text. What helpers ask is not among them.
    """
    function: Any = rule
    while isinstance(function, functools.partial):
        function = function.func
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError):
        return ()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    defined = next((one for one in ast.walk(tree) if isinstance(one, kinds)), None)
    if defined is None:
        return ()
    given = [one.arg for one in (*defined.args.posonlyargs, *defined.args.args)]
    region = given[1:2] if inspect.ismethod(function) else given[:1]
    found = [
        one
        for one in ast.walk(defined)
        if isinstance(one, ast.Attribute)
        and isinstance(one.value, ast.Name)
        and one.value.id in region
    ]
    found.sort(key=lambda one: (one.lineno, one.col_offset))
    return tuple(dict.fromkeys(one.attr for one in found if not one.attr.startswith("_")))


def _values(region: Region, names: Iterable[str]) -> list[str]:
    words = []
    for name in names:
        with suppress(Exception):  # the rule has told of it as a fault
            value = getattr(region, name)
            if isinstance(value, _NUMBERS):  # not methods and pictures
                words.append(f"{name}\N{NO-BREAK SPACE}{_number(value)}")
    told = textwrap.wrap(
        "  ".join(words),
        79,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in told]


def _number(value: Any) -> str:
    whole = isinstance(value, (int, np.integer)) or abs(value) >= 1000
    return f"{value:.0f}" if whole else f"{value:.3g}"
