"""``vde-nb plugin new|check``: a file to begin a plug-in with, and a trial of one."""

from __future__ import annotations

import argparse
import builtins
import keyword
import re
import sys
from collections.abc import Callable
from pathlib import Path

from vde_nb._cli_settings import as_options, folder_of
from vde_nb._console import safe, say, shell_word
from vde_nb.errors import SettingError

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Begin a plug-in with types of your own, and try it."

_END = """\
exit status: 0 all is well, 1 check found faults, 2 an error
example: vde-nb plugin new burr.py
         vde-nb plugin check burr.py golden.png burred.png
explained in notebooks/09_new_anomaly_type.ipynb"""

#: Names that would be imported in the place of others' when the file is run by itself.
_TAKEN = {"cv2", "numpy", "vde_nb", "PIL", "matplotlib", "sklearn"}

_TEMPLATE = '''\
"""A plug-in of vde-nb: the anomaly type "@NAME@".

Whoever names this file has the type: vde.compare(..., plugins="@FILE@"), and in the same way
vde.Panel, vde.evaluate and vde.compare_many; on the command line --plugin @FILE@.

    vde-nb plugin check @FILE@ REF CUR    tries the rule, best on a pair that shows one
    python @FILE@                         runs the small test at the end
"""

import cv2

import vde_nb as vde
from vde_nb.classify import rise


@vde.anomaly_type("@NAME@")
def @RULE@(region):
    """How sure it is that a region is one: 0 it is not, 1 all that can be checked holds.

    This one looks for a short, thin, bright thing that was not there before. Put what you are
    looking for in its place. A region is one place that has changed, with measures such as

        region.area, region.w, region.h              in pixels
        region.skeleton_length, region.thickness     in pixels
        region.elongation                            length divided by width
        region.delta_lightness, delta_a, delta_b     brighter, redder, yellower than before
        region.ownership                             below 0 something came, above 0 it left
        region.border_softness                       2 to 3 is a sharp border, over 5 a soft one

    all of them explained by help(vde_nb.classify.Region). For measures of your own,
    region.crop(region.current)[region.mask] has the pixels.
    """
    # rise(value, low, high) is 0 at low, 1 at high, a line between; it falls where low > high.
    came = rise(region.ownership, 0, -0.2)
    bright = rise(region.delta_lightness, 5, 12)
    thin = rise(region.elongation, 2.5, 4)
    short = rise(region.skeleton_length, 90, 60)
    # One condition that fails decides. Where a built-in type is ahead by less than 0.05 the region
    # is called "unknown": so this must come to 1 once everything holds.
    return came * bright * thin * short


def example():
    """A pair that shows one, painted; better are photographs: return "good.png", "bad.png"."""
    reference = vde.samples.load("board").reference
    current = reference.copy()
    cv2.line(current, (560, 300), (592, 312), (225, 225, 215), 5, cv2.LINE_AA)
    return reference, current


if __name__ == "__main__":
    result = vde.compare(*example())
    print(result)
    print([(one.type, round(one.confidence, 2)) for one in result.anomalies])
    types = [one.type for one in result.anomalies]
    if "@NAME@" not in types:
        said = f"the region was called {', '.join(types)}" if types else "nothing was found"
        raise SystemExit(f"{said}: change example() so that it shows yours, or mend the rule")
    for name in ("tyre", "wall", "label"):  # bundled pairs, of which none shows one
        pair = vde.samples.load(name)
        types = [one.type for one in vde.compare(pair.reference, pair.current).anomalies]
        if "@NAME@" in types:
            raise SystemExit(f"something in the sample {name} is called so: make the rule stricter")
    print("As it should be.")
'''


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb plugin`` takes to its parser."""
    parser.epilog = _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(
        title="actions", dest="action", metavar="new|check", required=True
    )

    def add(name: str, summary: str, more: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name,
            help=summary[0].lower() + summary[1:-1],
            description=f"{summary} {more}",
            allow_abbrev=False,
        )
        # every command has it, at its end too
        action.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        return action

    new = add("new", "Write a file to begin with.", "It works as it stands, and says what to edit.")
    option = new.add_argument
    option("file", metavar="FILE.py", type=folder_of, help="the file to write")
    option("--name", metavar="NAME", help="of the anomaly type [default: that of the file]")
    option("--overwrite", action="store_true", help="replace a file that is there")
    check = add(
        "check",
        "Load a plug-in and try its rules.",
        "Each is asked about every region of the pair, or of the bundled samples, and about some "
        "as small and as large as can be. The plug-in is run: check what you would run yourself.",
    )
    option = check.add_argument
    option("plugin", metavar="PLUGIN", help=".py file or module")
    option("reference", metavar="REF", nargs="?", help="reference picture of a pair that shows it")
    option("current", metavar="CUR", nargs="?", help="current picture of that pair")


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    return _ACTIONS[options.action](options)


# new


def _new(options: argparse.Namespace) -> int:
    from vde_nb._write import write_atomically

    path: Path = options.file
    if path.suffix != ".py":
        raise SettingError(f"{path} is no Python file: give a name that ends in .py.")
    if path.stem in sys.stdlib_module_names | _TAKEN:
        raise SettingError(
            f"{path.name} would be imported in the place of the {path.stem} that Python programs "
            "use; give another name."
        )
    name = _type_name(options.name, path)
    rule = name.replace("-", "_")
    # the file itself uses these, and print() and round()
    taken = keyword.iskeyword(rule) or hasattr(builtins, rule) or rule in ("vde", "cv2", "rise")
    if taken or not rule.isidentifier():
        rule = "rule"
    # Within its own documentation the file's name is text that cannot end it.
    said = re.sub(r'["\\\s]|[^\w.-]', "_", path.name)
    text = _TEMPLATE.replace("@FILE@", said).replace("@RULE@", rule).replace("@NAME@", name)
    write_atomically(path, text, overwrite=options.overwrite)
    file = shell_word(path)
    say(
        f"Written: {safe(path)}\n\nIt calls short bright lines {name}. Edit its rule, then:\n"
        f"  vde-nb plugin check {file} REF CUR\n  python {file}\n"
        f"  vde-nb compare REF CUR --plugin {file}"
    )
    return 0


def _type_name(given: str | None, path: Path) -> str:
    """The type's name, from the file's where none was given."""
    from vde_nb.classify import UNKNOWN
    from vde_nb.classify._rules import BUILT_IN

    name = path.stem if given is None else given
    if not re.fullmatch(r"[\w-]{1,64}", name):
        raise SettingError(
            f"{name!r} is no name of a type: 1 to 64 letters, digits, '_' or '-'; give one with "
            "--name."
        )
    if name in BUILT_IN or name == UNKNOWN:
        raise SettingError(
            f"There is a built-in type {name!r}, which the plug-in would replace: give another "
            "name with --name."
        )
    return name


# check


def _check(options: argparse.Namespace) -> int:
    from vde_nb._plugin_trial import try_plugin

    if options.reference is not None and options.current is None:
        raise SettingError("the following arguments are required: CUR, beside REF")
    pair = None if options.reference is None else (options.reference, options.current)
    trial = try_plugin(options.plugin, pair)
    say(safe(as_options(trial.to_text()), keep="\n"))
    return 1 if trial.faults else 0


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {"new": _new, "check": _check}
