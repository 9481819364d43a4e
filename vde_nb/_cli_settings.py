"""Every declared setting as an option of the command line, for each command that compares."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from vde_nb._console import say
from vde_nb.errors import SettingError
from vde_nb.settings import (
    DEFAULT_METHOD,
    METHOD_DEFAULTS,
    PRESETS,
    Declaration,
    declarations,
)

__all__ = [
    "add_ignore",
    "add_method",
    "add_plugin",
    "add_setting",
    "add_settings",
    "as_options",
    "folder_of",
    "given_settings",
    "ignored",
]

#: What messages and help texts say to those who write Python, and what it is called here.
_WORDS = (
    (r"\b(?:as|for|with) out=(?!\w)", "with --out"),
    (r"\bresume=False\b", "--no-resume"),
    (r"pass overwrite=True \(or --overwrite\) to replace it", "--overwrite replaces it"),
    (r"\bpass reference=,", "give --reference,"),
    (r"\bplugins=\[\.\.\.\]", "--plugin"),
    (r"\bignore= (?=has|holds)", "--ignore "),
    (r"\bplugins: (?=.* cannot be imported)", "--plugin "),
    (r",? or executor=ThreadPoolExecutor\(\)", ""),
    (r"\bworkers=(\d+)", r"--workers \1"),
    (r"\bvde_nb\.(?:features|segmenters)\(\) lists", "vde-nb weights list names"),
    (r"; True means '\w+'", ""),
    (
        r"one fitted with vde_nb\.Normality\.fit\(\), or the path of a saved one",
        "the path of one that vde-nb normality fit made",
    ),
    (
        r"vde_nb\.Normality\.fit\([^)]*\), or the path of a saved one",
        "give its path as --model; vde-nb normality fit makes one",
    ),
)


def add_method(parser: argparse.ArgumentParser) -> None:
    """Add ``--method`` and ``--preset``."""
    from vde_nb.methods import METHODS

    add = parser.add_argument
    add("--method", metavar="NAME", help=f"{', '.join(METHODS)} [default {DEFAULT_METHOD}]")
    presets = f"{', '.join(PRESETS)} [default default]"
    add("--preset", metavar="NAME", default="default", help=presets)


def add_plugin(parser: argparse._ActionsContainer, when: str = "") -> None:
    """Add ``--plugin``, which may be given several times."""
    parser.add_argument(
        "--plugin",
        metavar="FILE",
        action="append",
        default=[],
        help=f".py file or module that is run{when} first: your types, features, models; once "
        "for each",
    )


def add_ignore(parser: argparse.ArgumentParser) -> None:
    """Add ``--ignore``, which may be given several times."""
    parser.add_argument(
        "--ignore",
        metavar="X,Y,W,H",
        action="append",
        default=[],
        help="box in the reference where nothing matters, once for each; or one picture, white "
        "there and black elsewhere",
    )


def ignored(options: argparse.Namespace) -> Any:
    """What ``--ignore`` says, as :func:`vde_nb.compare` takes it: boxes, a mask, or None.

    Raises
    ------
    SettingError
        It is neither boxes nor one picture.
    """
    boxes = [_box(text) for text in options.ignore]
    if None not in boxes:
        return boxes or None
    text = options.ignore[boxes.index(None)]
    if not Path(text).is_file():
        raise SettingError(
            f"--ignore {text!r} is neither a box, four numbers X,Y,W,H such as 10,20,200,40, nor "
            "the file of a picture."
        )
    if len(boxes) > 1:
        raise SettingError("--ignore takes boxes or one picture: paint the boxes into the picture.")
    return _painted(text)


def _painted(path: str) -> Any:
    """The mask that was painted; what could mean anything else is refused.

    Ignoring too much looks like a sound picture.
    """
    import numpy as np

    from vde_nb.images import load

    picture = load(path, name="mask")
    if any("transparen" in note or "alpha" in note for note in picture.notes):
        wrong = "it is transparent in places"
    else:
        values = picture.array
        high, low = bool((values > 239).any()), bool((values < 16).any())
        if not high or not low:
            wrong = "it is all of one kind"
        elif np.count_nonzero((values > 15) & (values < 240)) > values.size // 100:
            wrong = "it has other colours"
        else:
            return values.max(axis=2) > 127
    raise SettingError(
        f"--ignore {path!r} is no mask: {wrong}. Paint white (255) on black (0) where nothing "
        "matters, in a picture of the reference's size, without transparency."
    )


def _box(text: str) -> tuple[int, ...] | None:
    numbers = [one.strip() for one in text.split(",")]
    if len(numbers) != 4 or not all(re.fullmatch(r"[0-9]{1,9}", one) for one in numbers):
        return None
    return tuple(int(one) for one in numbers)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for every setting of every stage, in groups."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for declared in sorted(declarations(), key=lambda one: one.advanced):
        title = "advanced" if declared.advanced else declared.stage
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        add_setting(groups[title], declared)


def given_settings(options: argparse.Namespace, method: str) -> dict[str, Any]:
    """Collect the settings that were given; those that `method` does not use are told of."""
    given = [one for one in declarations() if hasattr(options, one.name)]
    segmenter = getattr(options, "segmenter", None)
    for one in given:
        if one not in declarations(method):
            say(f"vde-nb: note: {_option(one)} is not used by {method}", to=sys.stderr)
        elif one not in declarations(method, segmenter or "graphcut"):
            say(f"vde-nb: note: {_option(one)} is used by models only", to=sys.stderr)
    return {one.name: getattr(options, one.name) for one in given}


def as_options(text: str) -> str:
    """Say in options what a message or a help text says in arguments of functions.

    >>> as_options('pass fit="crop", or a larger min_area=')
    'pass --fit crop, or a larger min_area='
    """
    for python, words in _WORDS:
        text = re.sub(python, words, text)
    return _assignments().sub(
        lambda found: f"--{found['name'].replace('_', '-')} {found['value']}", text
    )


@cache
def _assignments() -> re.Pattern[str]:
    """Settings with a quoted word as their value: paths and names are seldom written like that."""
    names = "|".join(("method", "preset", *(one.name for one in declarations())))
    return re.compile(rf"(?<![\w-])(?P<name>{names})=(?P<quote>['\"])(?P<value>[\w.-]+)(?P=quote)")


def folder_of(text: str) -> Path:
    """Read the name of a folder, or of a file to be written."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no name")
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own fails for unknown users


def _option(declared: Declaration) -> str:
    return "--" + declared.name.replace("_", "-")


def add_setting(group: argparse._ArgumentGroup, declared: Declaration) -> None:
    """Add the option of one setting."""
    unit = f", in {declared.unit}" if declared.unit else ""
    facts = f"default {_default(declared)}"
    how: dict[str, Any] = {"action": argparse.BooleanOptionalAction}
    if declared.kind is not bool:
        word = {int: "N", float: "X", str: "NAME"}[declared.kind]
        if declared.choices:
            word = "|".join(declared.choices)
        elif declared.kind is not str:
            facts = f"{declared.range}{unit}; {facts}"
        how = {"type": _reader(declared), "nargs": "+" if declared.many else None, "metavar": word}
    if declared.methods:
        facts += f"; used by {', '.join(declared.methods)}"
    group.add_argument(
        _option(declared),
        dest=declared.name,
        default=argparse.SUPPRESS,  # what is not given is not there, so that presets show through
        help=f"{as_options(declared.help)} [{facts}]".replace("%", "%%"),
        **how,
    )


def _default(declared: Declaration) -> str:
    """The default with each method that uses the setting, that of the default method first."""
    from vde_nb.methods import METHODS

    used = [name for name in METHODS if declared.methods is None or name in declared.methods]
    used.sort(key=lambda name: name != DEFAULT_METHOD)
    usual = _word(declared.default)
    defaults: dict[str, list[str]] = {}
    for method in used:
        own = METHOD_DEFAULTS.get(method, {}).get(declared.name, declared.default)
        defaults.setdefault(_word(own), []).append(method)
    if len(defaults) == 1:
        return next(iter(defaults))
    told = [
        f"{value} with {', '.join(methods)}"
        for value, methods in defaults.items()
        if value != usual
    ]
    return "; ".join([*told, f"else {usual}"] if usual in defaults else told)


def _word(value: Any) -> str:
    """A value as it is written behind its option."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value) or "none"


def _reader(declared: Declaration) -> Callable[[str], Any]:
    """Make a function from one word of the command line to a checked value."""

    def read(text: str) -> Any:
        try:
            value: Any = declared.kind(text)
        except ValueError:
            value = text  # the check below says what was expected
        try:
            checked = declared.check(value)
        except SettingError as error:
            lost = declared.many and value is text  # a picture, swallowed by the option's list
            hint = " The pictures stand before the options." if lost else ""
            raise argparse.ArgumentTypeError(str(error).partition("=")[2] + hint) from error
        return checked[0] if declared.many else checked

    return read
