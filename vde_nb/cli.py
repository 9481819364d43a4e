"""The command line: ``vde-nb demo``, ``compare``, ``batch``, ``evaluate``, ``lab`` and others.

A thin face of :func:`vde_nb.compare`. Its options are made from the declarations in
:mod:`vde_nb.settings`, so a new setting is an option without an edit here.

Two pictures are compared in less time than Python and NumPy need to start, so a command imports
what it needs when it runs, and makes no options but its own.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vde_nb import (
    _cli_batch,
    _cli_cache,
    _cli_evaluate,
    _cli_lab,
    _cli_normality,
    _cli_plugin,
    _cli_weights,
)
from vde_nb._cli_settings import (
    add_ignore,
    add_method,
    add_plugin,
    add_settings,
    as_options,
    folder_of,
    given_settings,
    ignored,
)
from vde_nb._console import safe, say, shell_word
from vde_nb._version import __version__
from vde_nb.errors import OutputError, SettingError, VdeError
from vde_nb.settings import DEFAULT_METHOD

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison
    from vde_nb.samples import Truth

__all__ = ["main"]

_ROWS = 20  # of the table on the terminal; the files have all of them

# What `vde-nb demo` writes, and the list of checksums it knows its own files by.
_DEMO_FILES = ("reference.png", "current.png", "annotated.png", "heatmap.png", "results.json")
_DEMO_LIST = ".vde-nb-demo.json"
_SAVE = "instead: annotated heatmap mask masks reference current results coco csv html all"

_COMPARE_END = """\
exit status: 0 no anomalies, 1 anomalies, 2 an error
example: vde-nb compare golden.png today.png --json | jq .anomalies"""

_NEXT = """
Next:
  Look at the outlines in annotated.png, then compare pictures of your own:
    {command} compare reference.jpg current.jpg --out results
  Or open this pair in the panel, in JupyterLab (the extra [lab]):
    {command} lab {files}
  The same in a notebook of yours; a tour is in the repository,
  notebooks/01_quickstart.ipynb:
    import vde_nb as vde
    panel = vde.Panel(
        {reference!r},
        {current!r},
    )
    panel"""


class _Parser(argparse.ArgumentParser):
    """Leaves errors and printing to this module, so that all of it is done in one way."""

    def error(self, message: str) -> NoReturn:
        raise SettingError(f"{message} (see {self.prog} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, argparse._SubParsersAction) and value not in action.choices:
            what = "command" if action.dest == "command" else "action"
            near = _near(value, action.choices) or "."
            self.error(
                f"there is no {what} {value!r}{near} "
                f"{what.capitalize()}s: {', '.join(action.choices)}"
            )
        super()._check_value(action, value)

    def _print_message(self, message: str, file: Any = None) -> None:
        say(message, to=file, end="")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments
        The words behind ``vde-nb``; those of this process by default.

    Returns
    -------
    int
        0 when all is well, 1 when ``compare`` found anomalies, 2 an error, 130 an interrupt.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack the letters of a file name
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parse(words)
        return _COMMANDS[options.command][2](options)
    except SystemExit as done:  # --help and --version have printed
        return int(done.code or 0)
    except KeyboardInterrupt:
        say("vde-nb: interrupted", to=sys.stderr)
        return 130
    except Exception as error:
        if "--debug" in words:
            import traceback

            say(safe(traceback.format_exc(), keep="\n"), to=sys.stderr, end="")
        told = as_options(str(error))  # the remedy in the words of this place
        if isinstance(error, MemoryError):
            told = "There is not enough memory for pictures of this size."
        elif not isinstance(error, (VdeError, OSError)):
            told = f"{type(error).__name__}: {error} (a fault in vde-nb; --debug shows where)"
        say(f"vde-nb: error: {safe(told)}", to=sys.stderr)
        return 2


def _parse(words: list[str]) -> argparse.Namespace:
    top = _Parser(
        prog="vde-nb",
        description="Compare pictures: find, outline, name and grade what changed.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"vde-nb {__version__}")
    commands = top.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True
    )
    parsers = {}
    for name, (summary, fill, _) in _COMMANDS.items():
        parsers[name] = parser = commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:-1],
            description=summary,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            fill(parser)
            parser.add_argument("--debug", action="store_true", help="show where an error arose")
    options, unknown = top.parse_known_args(words or ["--help"])
    unknown = [word for word in unknown if word != "--debug"]  # behind a command's own command
    if unknown:
        parser = parsers.get(options.command, top)
        name = next((word for word in unknown if word.startswith("-")), "").partition("=")[0]
        if not name:
            parser.error(f"one argument too many: {unknown[0]!r}")
        parser.error(f"there is no option {name}{_near(name, parser._option_string_actions)}")
    return options


def _near(word: str, words: Iterable[str]) -> str:
    bare = {one.lstrip("-"): one for one in words}  # two dashes in common are no likeness
    close = [bare[one] for one in difflib.get_close_matches(word.lstrip("-"), bare)]
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.usage, parser.epilog = "%(prog)s REF CUR [--out DIR] [options]", _COMPARE_END
    add = parser.add_argument
    add("reference", metavar="REF", help="the reference picture, as it should be")
    add("current", metavar="CUR", nargs="?", help="the current picture, to be checked")
    add_method(parser)
    add_ignore(parser)
    add_plugin(parser)
    add = parser.add_argument_group("output").add_argument
    add("--out", metavar="DIR", type=folder_of, help="folder for annotated, heatmap and results")
    add("--save", metavar="WHAT", nargs="+", help=_SAVE)
    add("--overwrite", action="store_true", help="replace results that are in DIR already")
    add("--json", action="store_true", help="print results.json instead of the summary")
    add("--quiet", action="store_true", help="print no summary")
    add_settings(parser)


def _compare(options: argparse.Namespace) -> int:
    from vde_nb.compare import compare
    from vde_nb.methods import default_method, get_method

    if options.out is None and (options.save or options.overwrite):
        raise SettingError("--save and --overwrite are about a folder: give --out DIR as well.")
    method = get_method(options.method or default_method(options.preset)).name
    if options.current is None and method != "normality":
        # Only a model of normality brings a reference of its own.
        raise SettingError("the following arguments are required: CUR (see vde-nb compare --help)")
    pictures = [one for one in (options.reference, options.current) if one is not None]
    _check_pictures(pictures)
    if options.out is not None and not options.overwrite:
        _check_free(options.out, options.save)  # told before a comparison, not after it
    settings = given_settings(options, method)
    if options.plugin:
        settings["plugins"] = options.plugin
    result = compare(
        *pictures,
        method=method,
        preset=options.preset,
        ignore=ignored(options),
        cache=None,  # a process that compares once finds nothing again: spare the hashing
        **settings,
    )
    files: Collection[Path] = ()
    if options.out is not None:
        what = {"what": options.save} if options.save else {}
        files = result.save(options.out, overwrite=options.overwrite, **what).values()
    if options.json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 wherever it is made
        say(result.to_json())
    elif not options.quiet:
        say(_summary(result, files))
    return 1 if result.anomalies else 0


def _check_pictures(paths: Sequence[str]) -> None:
    """Refuse two folders, and say which commands take them."""
    if len(paths) == 2 and all(os.path.isdir(os.path.expanduser(one)) for one in paths):  # noqa: PTH111, PTH112 - they bear names that no file can have
        both = " ".join(map(shell_word, paths))
        raise SettingError(
            f"{paths[0]} and {paths[1]} are folders, and compare takes two pictures. All that have "
            f"the same name in both: vde-nb batch {both} --out run; to look at them one after the "
            f"other: vde-nb lab {both}"
        )


def _check_free(folder: Path, what: Sequence[str] | None) -> None:
    """Refuse what must not be replaced; the names of ``masks`` are known only afterwards."""
    from vde_nb._write import check_target
    from vde_nb.export._save import FILES, USUAL, chosen_files

    for name in chosen_files(what or USUAL):
        if name in FILES:
            check_target(folder / FILES[name][0], overwrite=False)


def _summary(result: Comparison, files: Collection[Path], truth: Truth | None = None) -> str:
    import textwrap

    height, width = result.pair.shape
    count = len(result.anomalies)
    lines = [
        f"{result.image_name} against {result.reference_name}",
        f"{count or 'No'} {'anomaly' if count == 1 else 'anomalies'}, "
        f"{result.change_score_percent:.3g} % of the picture changed, SSIM {result.ssim_score:.6f}",
        f"{width}\u00d7{height} pixels, method {result.method}, "
        f"{sum(result.timings.values()) / 1000:.2f} s",
    ]
    if count:
        lines += ["", *_table(result)]
    if truth:
        masks = [one.mask for one in result.anomalies]
        found = sum(any((mask & known.mask).any() for mask in masks) for known in truth.regions)
        false = sum(not (mask & truth.mask).any() for mask in masks)
        lines += ["", f"{found} of {len(truth.regions)} known anomalies found, {false} false"]
    # that an option is not used was said when the work began
    notes = [note for note in result.notes if " is not used by " not in note]
    lines += ["", "Notes:"] if notes else []
    for note in notes:
        lines += textwrap.wrap(
            safe(note), 79, initial_indent="  ", subsequent_indent="    ", break_long_words=False
        )
    if files:
        lines += ["", "Written:", *(f"  {path}" for path in files)]
    return "\n".join(map(safe, lines))


def _table(result: Comparison) -> list[str]:
    line = "{:>4}  {:<14}  {:<8}  {:>5}  {:>9}  {:>5}  {:>5}  {:>5}  {:>5}".format
    lines = [line("#", "type", "severity", "score", "area", "x", "y", "w", "h")]
    for one in result.anomalies[:_ROWS]:
        heat = f"{one.score:.2f}"
        lines.append(line(one.number, one.type, one.severity, heat, one.area, *one.box))
    more = len(result.anomalies) - _ROWS
    return [*lines, f"and {more} more; results.json has all of them"] if more > 0 else lines


def _demo_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--sample", metavar="NAME", default="tyre", help="which pair [default %(default)s]")
    add("--list", action="store_true", help="list the samples and leave")
    add("--out", metavar="DIR", type=folder_of, default="vde-nb-demo", help="[default vde-nb-demo]")
    usual = DEFAULT_METHOD
    add("--method", metavar="NAME", default=usual, help=f"as for compare [default {usual}]")
    add("--overwrite", action="store_true", help="replace files the demo did not write, too")


def _demo(options: argparse.Namespace) -> int:
    from vde_nb import samples
    from vde_nb.compare import compare
    from vde_nb.methods import get_method

    if options.list:
        say("\n".join(samples.list()))
        return 0
    method = get_method(options.method).name  # a wrong name is told before anything is written
    folder: Path = options.out
    if _demo_was_here(folder, options.overwrite):
        say(f"Replacing the earlier demo in {safe(folder)}.\n")
    pair = samples.load(options.sample)
    reference, current = map(str, pair.save(folder, overwrite=True))
    _remember(folder)  # now already: the comparison may be interrupted
    result = compare(reference, current, method=method, cache=None)
    result.save(folder, overwrite=True)
    _remember(folder)
    say(_summary(result, [folder / name for name in _DEMO_FILES], pair.truth))
    command = shutil.which("vde-nb") and "vde-nb"  # a virtual environment may not be active
    say(
        _NEXT.format(
            command=command or Path(sys.executable).with_name("vde-nb"),
            files=" ".join(map(shell_word, (reference, current))),
            reference=str(Path(reference).resolve()),
            current=str(Path(current).resolve()),
        )
    )
    return 0


def _demo_was_here(folder: Path, overwrite: bool) -> bool:
    """Whether an earlier demo is to be replaced; an error if anything else would be.

    The demo knows its files by a checksum: a picture somebody painted into since then is theirs.
    """
    try:
        known = dict(json.loads((folder / _DEMO_LIST).read_bytes())["files"])
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    try:
        inside = _checksums(folder)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise OutputError(f"{folder} is a file; choose a folder with --out DIR.") from None
    strange = sorted(name for name in inside if known.get(name) != inside[name])
    if strange and not overwrite:
        raise OutputError(
            f"{folder} holds what the demo did not write, or what was changed since: "
            f"{', '.join(strange[:3])}. Choose another folder with --out DIR, or replace the "
            "demo's files with --overwrite."
        )
    return bool(inside) and not strange


def _checksums(folder: Path) -> dict[str, int]:
    """Checksums of the demo's files, -1 for anything else that is in `folder`."""
    # Names with a dot are litter of file managers and Jupyter; none is ever replaced.
    inside = {path.name: path for path in folder.iterdir() if not path.name.startswith(".")}
    ours = {name for name, path in inside.items() if name in _DEMO_FILES and path.is_file()}
    return {name: zlib.crc32(inside[name].read_bytes()) if name in ours else -1 for name in inside}


def _remember(folder: Path) -> None:
    (folder / _DEMO_LIST).write_text(json.dumps({"files": _checksums(folder)}), encoding="utf-8")


def _doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _doctor(options: argparse.Namespace) -> int:
    from vde_nb.doctor import examine

    report = examine()
    say(report.to_json() if options.json else safe(report.to_text(), keep="\n"))
    return 0 if report.ok else 2


#: Every command: what it does, what makes its options, what runs it.
_COMMANDS: dict[str, tuple[str, Callable[..., None], Callable[..., int]]] = {
    "demo": ("See it work on pictures that come with it.", _demo_options, _demo),
    "compare": ("Compare a current picture with a reference.", _compare_options, _compare),
    "batch": (_cli_batch.SUMMARY, _cli_batch.add_options, _cli_batch.run),
    "evaluate": (_cli_evaluate.SUMMARY, _cli_evaluate.add_options, _cli_evaluate.run),
    "lab": (_cli_lab.SUMMARY, _cli_lab.add_options, _cli_lab.run),
    "plugin": (_cli_plugin.SUMMARY, _cli_plugin.add_options, _cli_plugin.run),
    "normality": (_cli_normality.SUMMARY, _cli_normality.add_options, _cli_normality.run),
    "weights": (_cli_weights.SUMMARY, _cli_weights.add_options, _cli_weights.run),
    "cache": (_cli_cache.SUMMARY, _cli_cache.add_options, _cli_cache.run),
    "doctor": ("Say what is installed and try it.", _doctor_options, _doctor),
}
