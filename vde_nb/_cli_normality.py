"""``vde-nb normality fit|update|series``: learn what is normal, and judge pictures by it."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._cli_settings import add_plugin
from vde_nb._console import safe, say
from vde_nb._paths import absent
from vde_nb._table import Table
from vde_nb.errors import ImageError, OutputError, SettingError

if TYPE_CHECKING:
    from vde_nb.normality._choose import Trial
    from vde_nb.normality.series import Series

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Learn what is normal, and judge pictures by it."

_END = """\
exit status: 0 all is well, 1 series found anomalies, 2 an error, or series could judge no
         picture. Single pictures that cannot be judged are listed as skipped, with the reason:
         0 and 1 tell of the others only
example: vde-nb normality fit good/ --out line.normality.safetensors
         vde-nb normality series line.normality.safetensors today/ --out today
one picture: vde-nb compare picture.jpg --method normality --model line.normality.safetensors"""

_ROWS = 40  # of a table on the terminal; the file has all of them


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb normality`` takes to its parser."""
    parser.epilog = _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(
        title="actions", dest="action", metavar="fit|update|series", required=True
    )

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name, help=summary[0].lower() + summary[1:-1], description=summary, allow_abbrev=False
        )
        add_plugin(action)
        # every command has it, at its end too
        action.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        return action

    replace: dict[str, Any] = {"action": "store_true", "help": "replace what is there"}

    fit = add("fit", "Learn from a folder of normal pictures.")
    option = fit.add_argument
    option("folder", metavar="FOLDER", type=_path, help="pictures of a scene when all was well")
    option("--out", metavar="FILE", type=_path, required=True, help="where the model goes")
    option("--reference", metavar="FILE", help="the picture that all are registered on")
    option(
        "--kind",
        metavar="NAME",
        default="auto",
        help="variation, subspace, memory, decoder, or auto for the one that does best on the "
        "normal pictures [default auto]",
    )
    option("--features", metavar="NAME", default="embedded", help="[default embedded]")
    option("--no-align", action="store_true", help="the pictures lie on each other already")
    option("--seed", metavar="N", type=int, default=0, help="of everything random [default 0]")
    option("--small", action="store_true", help="keep no pictures in the file: no updates later")
    option("--overwrite", **replace)
    update = add("update", "Learn more normal pictures; the model's file is replaced.")
    option = update.add_argument
    option("model", metavar="MODEL", help="a file that fit wrote")
    option("pictures", metavar="PICTURE", nargs="+", help="of the scene when all was well")
    option("--half-life", metavar="N", type=float, help="updates after which a picture counts half")
    series = add("series", "Judge a folder of pictures over time.")
    option = series.add_argument
    option("model", metavar="MODEL", help="a file that fit wrote")
    option("folder", metavar="FOLDER", type=_path, help="pictures; their names or EXIF tell when")
    option("--out", metavar="DIR", type=_path, help="for series.csv, tracks.csv, series.png")
    option("--threshold", metavar="N", type=int, help="heat that counts, 0 to 255 [default 50]")
    option("--false-alarms", metavar="X", type=float, help="expected in a picture [default 0.02]")
    option("--overwrite", **replace)


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("'' is no path")
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own fails for unknown users


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    from vde_nb.plugins import load_plugins

    load_plugins(options.plugin)  # functions that describe pictures; types of a series
    return _ACTIONS[options.action](options)


def _say(text: str) -> None:
    say(safe(text, keep="\n"))


def _fit(options: argparse.Namespace) -> int:
    from vde_nb.normality import Normality
    from vde_nb.normality._file import target_of

    _folder(options.folder)
    target = target_of(options.out)
    # told before minutes of work, not after them
    for path in (options.out, target):
        if path.is_dir():
            raise OutputError(f"{path} is a folder: --out names the file that the model goes into.")
    if target.exists() and not options.overwrite:
        raise OutputError(f"{target} is there already; --overwrite replaces it.")
    if not target.absolute().parent.is_dir():
        raise OutputError(f"There is no folder {target.absolute().parent} for the model.")
    model = Normality.fit(
        options.folder,
        options.reference,
        align=not options.no_align,
        features=options.features,
        model=options.kind,
        seed=options.seed,
    )
    written = model.save(target, overwrite=options.overwrite, normals=not options.small)
    lines = [*_wrapped(model.notes), *_table_of(model.table())]
    _say("\n".join([*lines, "", f"Written: {written}"]))
    return 0


def _update(options: argparse.Namespace) -> int:
    from vde_nb.normality import Normality

    model = Normality.load(options.model)
    before = len(model.notes)
    for picture in options.pictures:
        model.update(picture, half_life=options.half_life)
    written = model.save(options.model, overwrite=True)
    told = model.notes if len(model.notes) > before else model.notes[:1]
    _say("\n".join([*_wrapped(told), "", f"Written: {written}"]))
    return 0


def _series(options: argparse.Namespace) -> int:
    from vde_nb.normality import Normality

    _folder(options.folder)
    files: list[Path] = []
    if options.out is not None:
        files = [options.out / name for name in ("series.csv", "tracks.csv", "series.png")]
        there = [path for path in files if path.exists()]
        if there and not options.overwrite:
            raise OutputError(f"{there[0]} is there already; --overwrite replaces it.")
    settings: dict[str, Any] = {}
    for name in ("threshold", "false_alarms"):
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    found = Normality.load(options.model).series(options.folder, **settings)
    if files:
        _write(found, files, options.overwrite)
    lines = [*_rows(found), "", *_tracks(found), *_wrapped((*found.notes, str(found.drift)))]
    lines += ["", "Written:", *(f"  {path}" for path in files)] if files else []
    _say("\n".join(lines))
    if not found.judged:
        raise ImageError(f"Not one of the pictures in {options.folder} could be judged.")
    return 1 if found.tracks else 0


def _folder(path: Path) -> None:
    if not path.is_dir():
        is_there = os.path.lexists(path)
        raise SettingError(
            f"{path} is no folder." if is_there else absent(os.fspath(path), folder=True)
        )


def _write(found: Series, files: list[Path], overwrite: bool) -> None:
    import io

    from vde_nb._write import write_atomically

    table, tracks, picture = files
    table.parent.mkdir(parents=True, exist_ok=True)
    found.to_csv(table, overwrite=overwrite)
    found.tracks_csv(tracks, overwrite=overwrite)
    buffer = io.BytesIO()
    found.plot().savefig(buffer, format="png", dpi=120)
    write_atomically(picture, buffer.getvalue(), overwrite=overwrite)


def _rows(found: Series) -> list[str]:
    wide = max(len(Path(row.name).name) for row in found.rows)
    wide = min(max(wide, 4), 40)
    lines = [f"{'name':<{wide}}  {'score':>6}  {'changed %':>9}  {'count':>5}"]
    for row in found.rows[:_ROWS]:
        name = Path(row.name).name[:wide]
        if row.skipped:
            lines.append(f"{name:<{wide}}  skipped: {row.remark}")
        else:
            lines.append(
                f"{name:<{wide}}  {row.score:6.2f}  {row.change_percent:9.3f}  {row.count:5}"
            )
    more = len(found.rows) - _ROWS
    return [*lines, f"and {more} more; --out writes all of them"] if more > 0 else lines


def _tracks(found: Series) -> list[str]:
    if not found.judged:
        return []
    left_out = f" {len(found.skipped)} not judged." if found.skipped else ""
    if not found.tracks:
        return [f"No anomalies.{left_out}"]
    count = len(found.tracks)
    return [
        f"{count} {'anomaly' if count == 1 else 'anomalies'} over time.{left_out}",
        repr(found.table),
        "",
    ]


def _table_of(trials: Sequence[Trial]) -> list[str]:
    """How the kinds did among which one was chosen."""
    rows = [
        {
            "kind": trial.kind,
            "faint defects found": f"{trial.found:.0%}",
            "their evidence": f"{trial.evidence:.2f}",
        }
        for trial in trials
    ]
    if not rows:
        return []
    said = f"Tried on the normal pictures, with {trials[0].defects} made-up defects:"
    return ["", said, repr(Table(rows))]


def _wrapped(notes: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    for note in notes:
        lines += textwrap.wrap(note, 79, subsequent_indent="  ", break_long_words=False)
    return lines


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "fit": _fit,
    "update": _update,
    "series": _series,
}
