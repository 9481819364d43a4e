"""``vde-nb evaluate``: how much of what truly changed is found, on labelled pairs of one's own."""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._cli_evaluate_output import FIGURES, FILES, summary, worse, write_files
from vde_nb._cli_settings import (
    add_ignore,
    add_method,
    add_plugin,
    add_settings,
    folder_of,
    given_settings,
    ignored,
)
from vde_nb._console import safe, say
from vde_nb.errors import OutputError, SettingError

if TYPE_CHECKING:
    from vde_nb.evaluate import LabelledPair

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Measure on labelled pairs how much of what changed is found."

_END = """\
SOURCE is one of these, told by what is there:
  a folder with the folders reference, current and masks
                      pictures of the same names; in a mask what has changed is white
  a .json file of COCO annotations, or a folder with just one
                      images are the current pictures; each has a reference_file_name, or give
                      --reference
  a folder in the layout of DeepPCB
                      NAME_temp.jpg, NAME_test.jpg, NAME.txt (use --box-margin 8)

exit status: 0 measured, 1 a figure is worse than --fail-under or --fail-over asks for, 2 an error
example: vde-nb evaluate labelled/ --out measured
         vde-nb evaluate annotations.json --fail-under f1=0.9,recall=0.95
explained in notebooks/10_evaluate_your_folder.ipynb"""

_MASKS = ("reference", "current", "masks")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb evaluate`` takes to its parser."""
    parser.usage, parser.epilog = "%(prog)s SOURCE [options]", _END
    add = parser.add_argument
    add("source", metavar="SOURCE", type=folder_of, help="folder, or COCO annotations (.json)")
    add("--reference", metavar="PATH", help="COCO: reference of all pictures, or folder of them")
    add("--root", metavar="DIR", type=folder_of, help="COCO: where the pictures are [its folder]")
    add_method(parser)
    add_ignore(parser)
    add_plugin(parser)
    add = parser.add_argument_group("measuring").add_argument
    add(
        "--min-iou",
        metavar="X",
        type=_share,
        default=0.33,
        help="boxes match where they overlap by more than this [default 0.33]",
    )
    add(
        "--box-margin",
        metavar="N",
        type=partial(_whole, most=64),
        default=0,
        help="pixels by which found boxes are widened first, for labels drawn with air [default 0]",
    )
    add(
        "--slack",
        metavar="N",
        type=partial(_whole, most=64),
        default=0,
        help="pixels around true regions that count neither way in the heatmap [default 0]",
    )
    add(
        "--sweep",
        metavar="N",
        type=_swept,
        nargs="+",
        default=[],
        help="thresholds tried as well",
    )
    add = parser.add_argument_group("output").add_argument
    add("--out", metavar="DIR", type=folder_of, help=f"folder for {', '.join(FILES)}")
    add("--overwrite", action="store_true", help="replace what is in DIR already")
    add(
        "--fail-under",
        metavar="NAME=X",
        type=partial(_limits, is_least=True),
        action="append",
        default=[],
        help="exit with 1 where a figure is less, such as f1=0.9,recall=0.95: "
        f"{', '.join(name for name, (_, is_more) in FIGURES.items() if is_more)}",
    )
    add(
        "--fail-over",
        metavar="NAME=X",
        type=partial(_limits, is_least=False),
        action="append",
        default=[],
        help="exit with 1 where a figure is more: "
        f"{', '.join(name for name, (_, is_more) in FIGURES.items() if not is_more)}",
    )
    add("--json", action="store_true", help="print report.json instead of the summary")
    add("--quiet", action="store_true", help="print no summary and no progress")
    add_settings(parser)


def _swept(text: str) -> int:
    """One of the thresholds of ``--sweep``, which takes every word up to the next option."""
    try:
        return _whole(text, most=255)
    except argparse.ArgumentTypeError as error:
        hint = "" if text.isascii() and text.isdigit() else ". SOURCE stands before --sweep"
        raise argparse.ArgumentTypeError(f"{error}{hint}") from None


def _whole(text: str, *, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and int(text) <= most):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: a whole number from 0 to {most}"
        )
    return int(text)


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: a number from 0, less than 1")
    return number


def _limits(text: str, *, is_least: bool) -> dict[str, float]:
    """Read ``f1=0.9,recall=0.95``."""
    from vde_nb.settings import nearest

    known = [name for name, (_, is_more) in FIGURES.items() if is_more is is_least]
    limits = {}
    for part in text.split(","):
        name, equals, number = (one.strip() for one in part.partition("="))
        if name not in known:
            other = "--fail-over" if is_least else "--fail-under"
            near = nearest(name, known)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(known)}"
            if name in FIGURES:
                hint = f": it is one for {other}"
            raise argparse.ArgumentTypeError(f"{name!r} is no figure for this{hint}")
        try:
            limits[name] = float(number)
        except ValueError:
            limits[name] = math.nan
        most = math.inf if name == "milliseconds" else 1.0
        if not equals or not 0 <= limits[name] <= most or math.isinf(limits[name]):
            span = "a number, 0 or more" if name == "milliseconds" else "a number from 0 to 1"
            raise argparse.ArgumentTypeError(f"{part.strip()!r} is no limit: write {name}=, {span}")
    return limits


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    from vde_nb.evaluate import evaluate
    from vde_nb.methods import default_method, get_method

    if options.out is None and options.overwrite:
        raise SettingError("--overwrite is about a folder: give --out DIR as well.")
    targets = [options.out / name for name in FILES] if options.out is not None else []
    _check_targets(targets, options.overwrite)  # told before minutes of work, not after them
    method = get_method(options.method or default_method(options.preset)).name
    settings: dict[str, Any] = given_settings(options, method)
    if options.preset != "default":
        settings["preset"] = options.preset
    nowhere = ignored(options)
    if nowhere is not None:
        settings["ignore"] = nowhere
    pairs, kind = _pairs(options)
    with _progress(len(pairs), not (options.quiet or options.json)) as told:
        report = evaluate(
            pairs,
            method,
            min_iou=options.min_iou,
            slack=options.slack,
            box_margin=options.box_margin,
            sweep=options.sweep,
            plugins=options.plugin,
            progress=told,
            **settings,
        )
    if targets:
        write_files(report, targets, options.overwrite)
    wrong = worse(report, options.fail_under, options.fail_over)
    if options.json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 wherever it is made
        say(report.to_json(), end="")
    elif not options.quiet:
        say(safe("\n".join(summary(report, kind, targets, wrong)), keep="\n"))
    if wrong and (options.json or options.quiet):
        for one in wrong:
            say(f"vde-nb: failed: {one}", to=sys.stderr)
    return 1 if wrong else 0


def _check_targets(targets: list[Path], overwrite: bool) -> None:
    from vde_nb._write import check_target

    for path in targets:
        check_target(path, overwrite)
        if path.parent.exists() and not path.parent.is_dir():
            raise OutputError(f"{path.parent} is a file; choose a folder with --out DIR.")


@contextmanager
def _progress(total: int, wanted: bool) -> Iterator[Callable[[int, Any], None] | None]:
    """A bar on a terminal; nothing anywhere else."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="pair", leave=False) as bar:
        yield lambda number, found: bar.update(number - bar.n)


# Pairs


def _pairs(options: argparse.Namespace) -> tuple[list[LabelledPair], str]:
    """The labelled pairs, and in words what they were taken for."""
    from vde_nb.evaluate import load_coco, load_deeppcb, load_masks

    source: Path = options.source
    of_coco = {"--reference": options.reference, "--root": options.root}
    file = _annotations(source)
    if file is not None:
        pairs = load_coco(file, options.root, reference=options.reference)
        return pairs, f"COCO annotations in {file.name}"
    given = [name for name, value in of_coco.items() if value is not None]
    if given:
        raise SettingError(
            f"{' and '.join(given)}: for COCO annotations; name their file in place of {source}."
        )
    if any((source / name).is_dir() for name in _MASKS):
        return load_masks(source), "painted masks"
    return load_deeppcb(source), "the layout of DeepPCB"


def _annotations(source: Path) -> Path | None:
    """The file of COCO annotations, None where the folder is one of another layout."""
    from vde_nb._lessons import lesson
    from vde_nb._paths import absent

    if source.is_file():
        if source.suffix.lower() != ".json":
            raise SettingError(
                f"{source} is no .json file: give a folder of labelled pairs, or COCO annotations."
                f"{lesson('labels')}"
            )
        return source
    if not source.is_dir():
        raise SettingError(
            f"{absent(str(source))} Give a folder of labelled pairs, or COCO annotations."
            f"{lesson('labels')}"
        )
    is_deeppcb = (source / "pairs.txt").is_file() or any(source.glob("*_temp.jpg"))
    found = sorted(one for one in source.glob("*.json") if one.is_file())
    # pictures of annotations may lie in folders reference and current, too
    is_painted = (source / "masks").is_dir() or (
        len(found) != 1 and any((source / name).is_dir() for name in _MASKS)
    )
    if is_deeppcb or is_painted:
        return None
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(one.name for one in found[:4])
        raise SettingError(f"{source} holds several .json files ({names}): name the one.")
    raise SettingError(
        f"{source} holds no labelled pairs: neither folders {', '.join(_MASKS)}, nor a .json file "
        f"of COCO annotations, nor NAME_temp.jpg of DeepPCB.{lesson('labels')}"
    )
